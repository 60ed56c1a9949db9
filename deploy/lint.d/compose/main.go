// Loads the stack's compose file as `docker compose config` does, with the same library, and holds it against what the stack
// promises: exact versions, no start without its secrets, a health check for each service, every port on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

var (
	exact    = regexp.MustCompile(`:v?\d[^:]*\.\d[^:]*$|:\d{4}-CU\d+-[a-z]+-[\d.]+$`)
	required = regexp.MustCompile(`\$\{([A-Z_]+):\?`)
	variable = regexp.MustCompile(`\$\{?[A-Za-z_]+`)
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file, example string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	secrets := map[string]string{}
	for _, match := range required.FindAllStringSubmatch(string(text), -1) {
		secrets[match[1]] = "given"
	}
	var problems []error
	find := func(format string, args ...any) { problems = append(problems, fmt.Errorf(file+": "+format, args...)) }

	for _, found := range variable.FindAllString(strings.ReplaceAll(string(text), "$$", ""), -1) {
		name := strings.TrimPrefix(strings.TrimPrefix(found, "$"), "{")
		if secrets[name] == "" && name != "env" {
			find("%s may be empty: write ${%s:?why}", name, name)
		}
	}
	offered, err := os.ReadFile(example)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(offered)) {
		name, value, is := strings.Cut(strings.TrimSpace(line), "=")
		if strings.HasPrefix(line, "#") || !is {
			continue
		}
		if value != "" {
			find("%s of %s has a default", name, example)
		}
		if secrets[name] == "" {
			find("%s of %s is not used", name, example)
		}
		delete(secrets, name)
	}
	for name := range secrets {
		find("%s is not in %s", name, example)
	}

	given := map[string]string{}
	for _, match := range required.FindAllStringSubmatch(string(text), -1) {
		given[match[1]] = "given"
	}
	project, err := load(file, given)
	if err != nil {
		return err
	}
	for name := range given {
		without := map[string]string{}
		for other, value := range given {
			if other != name {
				without[other] = value
			}
		}
		if _, err := load(file, without); err == nil || !strings.Contains(err.Error(), name) {
			find("without %s it should be refused, by that name: %v", name, err)
		}
	}
	for _, service := range project.AllServices() {
		check(service, find)
	}
	if len(problems) == 0 {
		fmt.Printf("%s: ok, %d services, %d secrets\n", file, len(project.AllServices()), len(given))
	}
	return errors.Join(problems...)
}

func check(service types.ServiceConfig, find func(string, ...any)) {
	if service.Build == nil && !exact.MatchString(service.Image) {
		find("%s: %s is not an exact version", service.Name, service.Image)
	}
	job := service.Restart == "no"
	if !job && service.HealthCheck == nil {
		find("%s has no health check", service.Name)
	}
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			find("%s publishes %s beyond loopback", service.Name, port.Published)
		}
	}
	if service.Privileged || service.NetworkMode == "host" {
		find("%s has the host's rights", service.Name)
	}
}

func load(file string, environment map[string]string) (*types.Project, error) {
	var pairs []string
	for name, value := range environment {
		pairs = append(pairs, name+"="+value)
	}
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(pairs), cli.WithDiscardEnvFile, cli.WithProfiles([]string{"*"}))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}
