// Proves the connector's configuration on Kafka Connect's and Debezium's own classes: no SQL Server, no broker.
//
//     deploy/connector/prove
//
// A row goes the way that it goes in production: Debezium's key and value from the table's columns, then the transforms, the
// predicates and the converters that the configuration names, then the partitioner of Kafka's producer.

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.debezium.config.Configuration;
import io.debezium.connector.sqlserver.SqlServerConnector;
import io.debezium.connector.sqlserver.SqlServerConnectorConfig;
import io.debezium.connector.sqlserver.SqlServerValueConverters;
import io.debezium.relational.Column;
import io.debezium.relational.CustomConverterRegistry;
import io.debezium.relational.Table;
import io.debezium.relational.TableId;
import io.debezium.relational.TableSchema;
import io.debezium.relational.TableSchemaBuilder;
import io.debezium.relational.mapping.ColumnMappers;
import io.debezium.schema.FieldNameSelector;
import io.debezium.spi.topic.TopicNamingStrategy;
import java.io.File;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Types;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.config.ConfigTransformer;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.common.config.provider.EnvVarConfigProvider;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.runtime.ConnectMetrics;
import org.apache.kafka.connect.runtime.ConnectorConfig;
import org.apache.kafka.connect.runtime.SourceConnectorConfig;
import org.apache.kafka.connect.runtime.TransformationStage;
import org.apache.kafka.connect.runtime.isolation.Plugins;
import org.apache.kafka.connect.runtime.standalone.StandaloneConfig;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.util.ConnectorTaskId;
import org.apache.kafka.connect.util.TopicCreation;
import org.apache.kafka.connect.util.TopicCreationGroup;

public class Proof {
    static final String PREFIX = "sentinel.SentinelMock.dbo.";
    static int passed;
    static int failed;

    public static void main(String[] args) throws Exception {
        Map<String, String> written = read(args[0]);
        // as the worker does it: the provider named env, with what the compose file puts into the environment
        Set<String> named = new TreeSet<>();
        for (String value : written.values()) {
            if (value.startsWith("${env:")) {
                named.add(value.substring("${env:".length(), value.length() - 1));
            }
        }
        Map<String, String> environment = new HashMap<>();
        named.forEach(name -> environment.put(name, name.endsWith("PORT") ? "1433" : "from-the-environment"));
        var provider = new EnvVarConfigProvider(environment);
        provider.configure(Map.of());
        Map<String, String> config = new ConfigTransformer(Map.of("env", provider)).transform(written).data();
        check("no secret stands in the file", written.entrySet().stream()
                .filter(entry -> entry.getKey().toLowerCase().contains("password"))
                .allMatch(entry -> entry.getValue().startsWith("${env:")));

        Worker worker = new Worker(config);
        configurationIsValid(config, worker);
        driverKnowsItsProperties(config);
        keysAndPartitionsAgree(config, worker);
        valuesAreExact(worker);
        topicsHaveEqualPartitions(worker);
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.exit(failed == 0 ? 0 : 1);
    }

    /** Debezium's own check of every field, without the one that connects; and that each key is known to someone. */
    static void configurationIsValid(Map<String, String> config, Worker worker) {
        var connector = new SqlServerConnector() {
            Map<String, ConfigValue> fields(Map<String, String> config) {
                return validateAllFields(Configuration.from(config));
            }
        };
        List<String> errors = new ArrayList<>();
        connector.fields(config).values().forEach(field -> field.errorMessages().forEach(error -> errors.add(field.name() + ": " + error)));
        check("Debezium accepts every field " + errors, errors.isEmpty());

        Set<String> known = new TreeSet<>(worker.keys);
        connector.getConfigFields().forEach(field -> known.add(field.name()));
        known.addAll(new SqlServerConnector().config().names());
        known.addAll(Set.of("schema.history.internal.kafka.bootstrap.servers", "schema.history.internal.kafka.topic"));
        List<String> unknown = config.keySet().stream()
                .filter(key -> !known.contains(key) && !key.startsWith("driver.") && !key.startsWith("value.converter."))
                .toList();
        check("every key is known to Kafka Connect or Debezium " + unknown, unknown.isEmpty());
    }

    /** driver.* goes to Microsoft's JDBC driver without a word: a misspelt one would leave TLS unchecked. */
    static void driverKnowsItsProperties(Map<String, String> config) throws Exception {
        var driver = new com.microsoft.sqlserver.jdbc.SQLServerDriver();
        Set<String> known = new TreeSet<>();
        for (var property : driver.getPropertyInfo("jdbc:sqlserver://h:1433", new Properties())) {
            known.add(property.name);
        }
        List<String> unknown = config.keySet().stream().filter(key -> key.startsWith("driver."))
                .map(key -> key.substring("driver.".length())).filter(name -> !known.contains(name)).toList();
        check("the JDBC driver knows its properties " + unknown, unknown.isEmpty());
        check("TLS to SQL Server is on and checked",
                config.get("driver.encrypt").equals("true") && config.get("driver.trustServerCertificate").equals("false"));
    }

    static void keysAndPartitionsAgree(Map<String, String> config, Worker worker) {
        Book book = new Book(worker.debezium);
        int partitions = worker.partitions();
        check("the topics are those that Tidewaiter reads",
                book.agreement("x").topic().equals(PREFIX + "Agreement")
                        && book.transaction("x", BigDecimal.ONE).topic().equals(PREFIX + "Transaction"));
        boolean same = true;
        boolean plain = true;
        Set<Integer> used = new TreeSet<>();
        for (int n = 0; n < 2000; n++) {
            String agreement = String.format("FR%c%07d", "HPM".charAt(n % 3), n * 37);
            byte[] transaction = worker.key(book.transaction(agreement, new BigDecimal("403.37")));
            byte[] account = worker.key(book.agreement(agreement));
            same &= Arrays.equals(transaction, account)
                    && partition(transaction, partitions) == partition(account, partitions);
            plain &= new String(transaction, StandardCharsets.UTF_8).equals(agreement);
            used.add(partition(account, partitions));
        }
        check("a Transaction and its Agreement have the same key bytes and partition", same);
        check("the key is the agreement number itself, nothing around it", plain);
        check("the agreements spread over all " + partitions + " partitions", used.size() == partitions);
        check("no tombstone follows a delete", !worker.debezium.isEmitTombstoneOnDelete());

        // the counter-proof: each of the parts is needed
        SourceRecord transaction = book.transaction("FRH0000291", BigDecimal.ONE);
        SourceRecord account = book.agreement("FRH0000291");
        check("without the transforms the keys differ",
                !Arrays.equals(worker.keyUntransformed(transaction), worker.keyUntransformed(account)));
        Map<String, String> defaults = new HashMap<>(config);
        defaults.remove("message.key.columns");
        var primary = new Book(new SqlServerConnectorConfig(Configuration.from(defaults)));
        check("without message.key.columns a Transaction's key is its TransCounter",
                ((Struct) primary.transaction("FRH0000291", BigDecimal.ONE).key()).schema().field("TransCounter") != null);
        SourceRecord heartbeat = new SourceRecord(Map.of(), Map.of(), "__debezium-heartbeat.sentinel", 0, account.keySchema(),
                account.key(), account.valueSchema(), account.value());
        check("other topics keep their keys", worker.transformed(heartbeat).key() instanceof Struct);
    }

    static void valuesAreExact(Worker worker) {
        Book book = new Book(worker.debezium);
        String transaction = worker.value(book.transaction("FRH0000291", new BigDecimal("403.37")));
        check("an amount is a number with every digit", transaction.contains("\"TransNetPayment\":403.37,"));
        String large = worker.value(book.transaction("FRH0000291", new BigDecimal("9007199254740993.07")));
        check("also one that no binary float holds", large.contains("\"TransNetPayment\":9007199254740993.07,"));
        String money = worker.value(book.transaction("FRH0000291", new BigDecimal("403.3700")));
        check("a money column brings its own four decimals", money.contains("\"TransFeesNet\":0.0000"));
        check("a null stays null where the column has a default", transaction.contains("\"TransBankID\":null"));
        check("the message has no schema inside", transaction.startsWith("{\"before\":") && !transaction.contains("\"schema\":{"));
        String agreement = worker.value(book.agreement("FRH0000291"));
        check("bank details never reach Kafka", !agreement.contains("AgreementBank") && agreement.contains("AgreementCurrentBalanceNET"));
    }

    static void topicsHaveEqualPartitions(Worker worker) {
        TopicCreationGroup transaction = worker.group(PREFIX + "Transaction");
        TopicCreationGroup agreement = worker.group(PREFIX + "Agreement");
        check("Kafka Connect creates both topics alike",
                transaction.newTopic("t").numPartitions() == agreement.newTopic("t").numPartitions()
                        && agreement.newTopic("t").numPartitions() == worker.partitions());
        check("and the others with one partition", worker.group("__debezium-heartbeat.sentinel").newTopic("t").numPartitions() == 1);
    }

    /** What a Connect worker makes of the configuration. */
    static final class Worker {
        final SqlServerConnectorConfig debezium;
        /** Every key that Kafka Connect knows in a configuration with these transforms, predicates and topic groups. */
        final Set<String> keys;
        private final List<TransformationStage<SourceRecord>> stages;
        private final Converter keyConverter;
        private final Converter valueConverter;
        private final TopicCreation creation;

        Worker(Map<String, String> config) throws Exception {
            Map<String, String> named = new HashMap<>(config);
            named.put("name", "sentinel");
            var plugins = new Plugins(Map.of("plugin.discovery", "only_scan"));
            // the converters of a worker that is set up otherwise: the connector's own must win
            var workerConfig = new StandaloneConfig(Map.of(
                    "bootstrap.servers", "127.0.0.1:1", "offset.storage.file.filename", File.createTempFile("proof", null).getPath(),
                    "key.converter", "org.apache.kafka.connect.json.JsonConverter",
                    "value.converter", "org.apache.kafka.connect.json.JsonConverter"));
            var connectorConfig = new SourceConnectorConfig(plugins, named, true);
            var metrics = new ConnectMetrics("proof", workerConfig, Time.SYSTEM, "proof");
            stages = connectorConfig.transformationStages(plugins, new ConnectorTaskId("sentinel", 0), metrics);
            keyConverter = plugins.newConverter(connectorConfig, "key.converter", Plugins.ClassLoaderUsage.CURRENT_CLASSLOADER);
            valueConverter = plugins.newConverter(connectorConfig, "value.converter", Plugins.ClassLoaderUsage.CURRENT_CLASSLOADER);
            creation = TopicCreation.newTopicCreation(workerConfig, TopicCreationGroup.configuredGroups(connectorConfig));
            debezium = new SqlServerConnectorConfig(Configuration.from(named));
            var plain = SourceConnectorConfig.embedDefaultGroup(SourceConnectorConfig.enrichedConfigDef(plugins, named, workerConfig));
            var grouped = SourceConnectorConfig.enrich(plain, named, new AbstractConfig(plain, named, false));
            keys = ConnectorConfig.enrich(plugins, grouped, named, true).names();
        }

        SourceRecord transformed(SourceRecord record) {
            for (TransformationStage<SourceRecord> stage : stages) {
                record = stage.apply(record);
            }
            return record;
        }

        byte[] key(SourceRecord record) {
            return keyUntransformed(transformed(record));
        }

        byte[] keyUntransformed(SourceRecord record) {
            return keyConverter.fromConnectData(record.topic(), record.keySchema(), record.key());
        }

        String value(SourceRecord record) {
            SourceRecord last = transformed(record);
            return new String(valueConverter.fromConnectData(last.topic(), last.valueSchema(), last.value()), StandardCharsets.UTF_8);
        }

        TopicCreationGroup group(String topic) {
            return creation.findFirstGroup(topic);
        }

        int partitions() {
            return group(PREFIX + "Agreement").newTopic("t").numPartitions();
        }
    }

    /** The two tables as deploy/sql/schema.sql makes them, in the columns that matter here. */
    static final class Book {
        private final SqlServerConnectorConfig config;
        private final Table transactions;
        private final Table agreements;

        Book(SqlServerConnectorConfig config) {
            this.config = config;
            transactions = Table.editor().tableId(new TableId("SentinelMock", "dbo", "Transaction"))
                    .addColumns(column("TransCounter", Types.INTEGER, "int").create(),
                            column("TransAgreementNumber", Types.VARCHAR, "varchar").length(20).create(),
                            column("TransNetPayment", Types.DECIMAL, "decimal").length(18).scale(2).create(),
                            column("TransFeesNet", Types.DECIMAL, "money").length(19).scale(4).create(),
                            column("TransBankID", Types.INTEGER, "int").optional(true).defaultValueExpression("((1))").create())
                    .setPrimaryKeyNames("TransCounter").create();
            agreements = Table.editor().tableId(new TableId("SentinelMock", "dbo", "Agreement"))
                    .addColumns(column("AgreementNumber", Types.VARCHAR, "varchar").length(20).create(),
                            column("AgreementCurrentBalanceNET", Types.DECIMAL, "decimal").length(18).scale(2).create(),
                            column("AgreementBankSortCode", Types.VARCHAR, "varchar").length(10).create(),
                            column("AgreementBankAccountNumber", Types.VARCHAR, "varchar").length(20).create(),
                            column("AgreementBankAccountName", Types.VARCHAR, "varchar").length(100).create())
                    .setPrimaryKeyNames("AgreementNumber").create();
        }

        private static io.debezium.relational.ColumnEditor column(String name, int jdbc, String type) {
            return Column.editor().name(name).jdbcType(jdbc).type(type).optional(false);
        }

        SourceRecord transaction(String agreement, BigDecimal amount) {
            return record(transactions, 880101, agreement, amount.setScale(2), new BigDecimal("0.0000"), null);
        }

        SourceRecord agreement(String number) {
            return record(agreements, number, new BigDecimal("38375.50"), "00-00-00", "00000000", "MX A EXAMPLE");
        }

        private SourceRecord record(Table table, Object... row) {
            // as SqlServerConnectorTask asks for it: the database is part of the topic's name
            @SuppressWarnings("unchecked")
            TopicNamingStrategy<TableId> naming = config.getTopicNamingStrategy(SqlServerConnectorConfig.TOPIC_NAMING_STRATEGY, true);
            var converters = new SqlServerValueConverters(config.getDecimalMode(), config.getTemporalPrecisionMode(), config.binaryHandlingMode());
            var source = config.getSourceInfoStructMaker().schema();
            var transaction = config.getTransactionMetadataFactory().getTransactionStructMaker().getTransactionBlockSchema();
            var builder = new TableSchemaBuilder(converters, (column, value) -> java.util.Optional.of(1), config.schemaNameAdjuster(),
                    new CustomConverterRegistry(List.of()), source, transaction, FieldNameSelector.defaultSelector(config.fieldNameAdjuster()), false,
                    config.getEventConvertingFailureHandlingMode());
            TableSchema schema = builder.create(naming, table, config.getColumnFilter(), ColumnMappers.create(config), config.getKeyMapper());
            Struct value = schema.getEnvelopeSchema().create(schema.valueFromColumnData(row), filled(source), Instant.EPOCH);
            return new SourceRecord(Map.of(), Map.of(), naming.dataChangeTopic(table.id()), schema.keySchema(),
                    schema.keyFromColumnData(row), schema.getEnvelopeSchema().schema(), value);
        }
    }

    /** A source block with something in each field that must not be null. */
    static Struct filled(Schema schema) {
        Struct struct = new Struct(schema);
        for (Field field : schema.fields()) {
            if (!field.schema().isOptional()) {
                struct.put(field, field.schema().type() == Schema.Type.STRING ? field.name() : (Object) 0L);
            }
        }
        return struct;
    }

    static int partition(byte[] key, int partitions) {
        return BuiltInPartitioner.partitionForKey(key, partitions);
    }

    static Map<String, String> read(String path) throws Exception {
        return new ObjectMapper().readValue(new File(path), new TypeReference<Map<String, String>>() { });
    }

    static void check(String what, boolean holds) {
        System.out.println((holds ? "ok      " : "FAILED  ") + what);
        if (holds) {
            passed++;
        } else {
            failed++;
        }
    }
}
