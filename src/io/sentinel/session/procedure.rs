//! EXECUTE: procedures of the script, system procedures, and statements in text.

use std::sync::Arc;

use super::super::catalog::{Defined, Object};
use super::super::engine::{Engine, Frame, undeclared};
use super::super::error::{SqlError, SqlResult};
use super::super::syntax;
use super::super::syntax::ast::{Argument, Execute, Expr, Kind, Procedure, Statement};
use super::super::system_views::parse_name;
use super::super::value::{Type, Value};
use super::flow::MAX_NESTING;
use super::{Context, Flow, Run, Thrown};

/// System procedures that are accepted and do nothing here.
const ACCEPTED: [&str; 45] = [
    "sp_cdc_add_job",
    "sp_cdc_change_job",
    "sp_cdc_cleanup_change_table",
    "sp_cdc_drop_job",
    "sp_cdc_generate_wrapper_function",
    "sp_cdc_help_change_data_capture",
    "sp_cdc_help_jobs",
    "sp_cdc_scan",
    "sp_cdc_start_job",
    "sp_cdc_stop_job",
    "sp_addextendedproperty",
    "sp_updateextendedproperty",
    "sp_dropextendedproperty",
    "sp_addlogin",
    "sp_addrolemember",
    "sp_addsrvrolemember",
    "sp_adduser",
    "sp_grantdbaccess",
    "sp_changedbowner",
    "sp_configure",
    "sp_dboption",
    "sp_getapplock",
    "sp_releaseapplock",
    "sp_help",
    "sp_helpdb",
    "sp_helpindex",
    "sp_helptext",
    "sp_recompile",
    "sp_set_session_context",
    "sp_tableoption",
    "sp_updatestats",
    "sp_who",
    "sp_who2",
    "sp_start_job",
    "sp_stop_job",
    "sp_autostats",
    "xp_servicecontrol",
    "sp_fulltext_database",
    "sp_db_vardecimal_storage_format",
    "sp_dbcmptlevel",
    "sp_changeobjectowner",
    "sp_defaultdb",
    "sp_addrole",
    "sp_droprolemember",
    "sp_serveroption",
];

/// Those that are carried out.
const KNOWN: [&str; 5] =
    ["sp_executesql", "sp_cdc_enable_db", "sp_cdc_disable_db", "sp_cdc_enable_table", "sp_cdc_disable_table"];

/// Whether a name is one of SQL Server's procedures, and whether it can be called here.
pub(crate) fn system_procedure(name: &str) -> Option<bool> {
    let lower = name.to_lowercase();
    let known = KNOWN.contains(&lower.as_str()) || ACCEPTED.contains(&lower.as_str());
    (known || lower.starts_with("sp_") || lower.starts_with("xp_")).then_some(known)
}

/// Arguments of a system procedure, by name or by place.
struct Arguments(Vec<(Option<String>, Value)>);

impl Arguments {
    fn text(&self, name: &str, place: usize) -> Option<String> {
        let named = self.0.iter().find(|(other, _)| other.as_deref() == Some(name));
        let placed = || self.0.get(place).filter(|(name, _)| name.is_none());
        match named.or_else(placed) {
            Some((_, Value::Text(text))) => Some(text.trim_end().to_owned()),
            _ => None,
        }
    }
}

impl Engine {
    pub(super) fn run_execute(&mut self, execute: &Execute, statement: &Statement, context: &mut Context<'_>) -> Run<Flow> {
        let thrown = |error: SqlError| Box::new(Thrown::at(statement, error));
        let mut name = execute.procedure.clone();
        if name.name.starts_with('@') {
            let Value::Text(text) = self.variable(&name.name).map_err(thrown)? else {
                return Err(thrown(SqlError::new(2812, format!("Could not find stored procedure: {} is NULL.", name.name))));
            };
            let missing = || SqlError::new(2812, format!("Could not find stored procedure '{text}'."));
            name = parse_name(&text).ok_or_else(|| thrown(missing()))?;
        }
        let name = &name;
        if let Ok(Some(Object::Procedure(stored))) = self.find_object(self.current_database(), name) {
            let stored = Arc::clone(stored);
            return self.call(&stored, execute, statement, context);
        }
        let lower = name.name.to_lowercase();
        match system_procedure(&lower) {
            Some(true) => {}
            Some(false) => return Err(thrown(SqlError::unsupported(format!("the procedure {name}")))),
            None => {
                return Err(thrown(SqlError::new(2812, format!("Could not find stored procedure '{name}'."))));
            }
        }
        if lower == "sp_executesql" {
            return self.execute_sql(execute, statement, context);
        }
        self.clock.step();
        let database = name.database.clone();
        let run = self.autocommit(context, |engine, context| {
            // `EXEC SentinelMock.sys.sp_cdc_enable_db` works there.
            let current = engine.session.database.clone();
            if let Some(database) = database {
                engine.session.database = database;
            }
            let done = engine.system_call(&lower, execute, statement, context);
            engine.session.database = current;
            done
        });
        match run {
            Ok(()) => {
                self.session.error = 0;
                self.return_code(execute, 0).map_err(thrown)?;
                Ok(Flow::Next)
            }
            Err(error) => {
                self.session.error = error.number;
                Err(thrown(error))
            }
        }
    }

    fn return_code(&mut self, execute: &Execute, code: i64) -> SqlResult<()> {
        match &execute.result {
            Some(variable) => {
                let ty = self.variable_type(variable)?;
                let value = self.as_variable(&Value::Int(code), Type::Int, ty)?;
                self.set_variable(variable, value)
            }
            None => Ok(()),
        }
    }

    fn system_call(&mut self, name: &str, execute: &Execute, statement: &Statement, context: &mut Context<'_>) -> SqlResult<()> {
        let mut arguments = Vec::new();
        for argument in &execute.arguments {
            let value = match &argument.value {
                Some(value) => self.typed_value(value)?.0,
                None => Value::Null,
            };
            arguments.push((argument.name.clone(), value));
        }
        let arguments = Arguments(arguments);
        let required = |value: Option<String>, name: &str| {
            value.ok_or_else(|| {
                SqlError::new(201, format!("Procedure or function expects parameter '{name}', which was not supplied."))
            })
        };
        let schema = arguments.text("@source_schema", 0);
        let table = arguments.text("@source_name", 1);
        match name {
            "sp_cdc_enable_db" => self.set_capture(true),
            "sp_cdc_disable_db" => self.set_capture(false),
            "sp_cdc_enable_table" => {
                let (schema, table) = (required(schema, "@source_schema")?, required(table, "@source_name")?);
                let instance = arguments.text("@capture_instance", 3);
                let columns = arguments.text("@captured_column_list", 6);
                self.enable_capture(&schema, &table, instance, columns)
            }
            "sp_cdc_disable_table" => {
                let (schema, table) = (required(schema, "@source_schema")?, required(table, "@source_name")?);
                let instance = arguments.text("@capture_instance", 2);
                self.disable_capture(&schema, &table, instance.as_deref())
            }
            _ => {
                context.observer.noted(&statement.file, statement.line, &format!("{name}: accepted, without effect here"));
                Ok(())
            }
        }
    }

    /// A procedure of the script.
    fn call(
        &mut self,
        stored: &Defined<Arc<Procedure>>,
        execute: &Execute,
        statement: &Statement,
        context: &mut Context<'_>,
    ) -> Run<Flow> {
        let thrown = |error: SqlError| Box::new(Thrown::at(statement, error));
        let frame = self.bind_arguments(&stored.name, &stored.definition, &execute.arguments).map_err(thrown)?;
        let database = std::mem::replace(&mut self.session.database, stored.database.clone());
        let code = self.run_frame(frame, &stored.definition, &execute.arguments, statement, context);
        self.session.database = database;
        let code = code?;
        self.return_code(execute, code).map_err(thrown)?;
        Ok(Flow::Next)
    }

    fn bind_arguments(&mut self, name: &str, procedure: &Procedure, arguments: &[Argument]) -> SqlResult<Frame> {
        let mut frame = Frame { procedure: Some(name.to_owned()), ..Frame::default() };
        for (at, parameter) in procedure.parameters.iter().enumerate() {
            let named = arguments.iter().find(|argument| argument.name.as_deref() == Some(parameter.name.as_str()));
            let placed = || arguments.get(at).filter(|argument| argument.name.is_none());
            let given = named.or_else(placed).and_then(|argument| argument.value.as_ref());
            if let Some(shape) = &parameter.table {
                let table = match given {
                    Some(Expr::Variable(variable)) => {
                        self.session_table(variable).cloned().ok_or_else(|| undeclared(variable))?
                    }
                    Some(_) => return Err(SqlError::new(206, format!("{} takes a table variable.", parameter.name))),
                    None => self.empty_table(&parameter.name, shape)?,
                };
                if given.is_some() {
                    frame.lent.insert(parameter.name.clone());
                }
                frame.tables.insert(parameter.name.clone(), table);
                continue;
            }
            let value = match given.or(parameter.default.as_ref()) {
                Some(value) => self.value(value, parameter.ty)?,
                None if parameter.output => Value::Null,
                None => {
                    return Err(SqlError::new(
                        201,
                        format!("Procedure or function '{name}' expects parameter '{}', which was not supplied.", parameter.name),
                    ));
                }
            };
            frame.variables.insert(parameter.name.clone(), (parameter.ty, value));
        }
        let known = |argument: &&Argument| match &argument.name {
            Some(argument) => procedure.parameters.iter().any(|parameter| parameter.name == *argument),
            None => true,
        };
        if let Some(unknown) = arguments.iter().find(|argument| !known(argument)) {
            let unknown = unknown.name.as_deref().unwrap_or_default();
            return Err(SqlError::new(8145, format!("{unknown} is not a parameter for procedure {name}.")));
        }
        if arguments.len() > procedure.parameters.len() {
            return Err(SqlError::new(8144, format!("Procedure or function {name} has too many arguments specified.")));
        }
        Ok(frame)
    }

    /// Runs a body with variables of its own, and hands OUTPUT parameters back.
    fn run_frame(
        &mut self,
        frame: Frame,
        procedure: &Procedure,
        arguments: &[Argument],
        statement: &Statement,
        context: &mut Context<'_>,
    ) -> Run<i64> {
        let thrown = |error: SqlError| Box::new(Thrown::at(statement, error));
        if self.session.frames.len() > MAX_NESTING {
            return Err(thrown(SqlError::new(
                217,
                "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).",
            )));
        }
        let temporary: Vec<String> = self.session.temporary.keys().cloned().collect();
        let depth = self.session.frames.len();
        self.session.frames.push(frame);
        let options = self.session.options;
        let flow = self.run_list(&procedure.body, context);
        self.session.options = options;
        let mut tables = Vec::new();
        let mut finished = Frame::default();
        while self.session.frames.len() > depth {
            finished = self.session.frames.pop().unwrap_or_default();
            tables.extend(
                std::mem::take(&mut finished.tables)
                    .into_iter()
                    .filter(|(name, _)| !finished.lent.contains(name))
                    .map(|(_, table)| table),
            );
        }
        // Its own #tables go with it.
        let gone: Vec<String> = self.session.temporary.keys().filter(|name| !temporary.contains(name)).cloned().collect();
        tables.extend(gone.iter().filter_map(|name| self.session.temporary.remove(name)));
        let flow = flow?;
        for table in tables {
            self.store().drop_table(&table).map_err(thrown)?;
        }
        for (at, parameter) in procedure.parameters.iter().enumerate().filter(|(_, parameter)| parameter.output) {
            let named = arguments.iter().find(|argument| argument.name.as_deref() == Some(parameter.name.as_str()));
            let argument = named.or_else(|| arguments.get(at).filter(|argument| argument.name.is_none()));
            if let Some(Argument { value: Some(Expr::Variable(variable)), output: true, .. }) = argument
                && let Some((from, value)) = finished.variables.get(&parameter.name)
            {
                let ty = self.variable_type(variable).map_err(thrown)?;
                let value = self.as_variable(value, *from, ty).map_err(thrown)?;
                self.set_variable(variable, value).map_err(thrown)?;
            }
        }
        Ok(if let Flow::Return(code) = flow { code } else { 0 })
    }

    fn execute_sql(&mut self, execute: &Execute, statement: &Statement, context: &mut Context<'_>) -> Run<Flow> {
        let thrown = |error: SqlError| Box::new(Thrown::at(statement, error));
        let text = |engine: &Self, at: usize| match execute.arguments.get(at).and_then(|a| a.value.as_ref()) {
            Some(value) => engine.value(value, Type::NVarChar(None)),
            None => Ok(Value::Null),
        };
        let Value::Text(body) = text(self, 0).map_err(thrown)? else { return Ok(Flow::Next) };
        let parameters = text(self, 1).map_err(thrown)?;
        let Value::Text(parameters) = parameters else { return self.run_text(&body, statement, context) };
        if parameters.trim().is_empty() {
            return self.run_text(&body, statement, context);
        }
        let source = format!("CREATE PROCEDURE sp_executesql {parameters} AS\n{body}");
        let script = parse_text(&source, statement, self.catalog.types()).map_err(thrown)?;
        let first = script.batches.first().and_then(|batch| batch.statements.first()).map(|statement| &statement.kind);
        let Some(Kind::CreateProcedure { procedure, .. }) = first else {
            return Err(thrown(SqlError::unsupported("this text for sp_executesql")));
        };
        let procedure = Arc::clone(procedure);
        let arguments = execute.arguments.get(2..).unwrap_or_default();
        let frame = self.bind_arguments("sp_executesql", &procedure, arguments).map_err(thrown)?;
        self.run_frame(frame, &procedure, arguments, statement, context)?;
        self.return_code(execute, 0).map_err(thrown)?;
        Ok(Flow::Next)
    }

    /// EXEC('…'): statements in text, with no variables from outside.
    pub(super) fn run_text(&mut self, text: &str, statement: &Statement, context: &mut Context<'_>) -> Run<Flow> {
        let thrown = |error: SqlError| Box::new(Thrown::at(statement, error));
        let script = parse_text(text, statement, self.catalog.types()).map_err(thrown)?;
        let body = script.batches.into_iter().flat_map(|batch| batch.statements).collect();
        let procedure = Procedure { parameters: Vec::new(), body };
        let database = self.session.database.clone();
        let result = self.run_frame(Frame::default(), &procedure, &[], statement, context);
        // USE inside the text ends with it.
        self.session.database = database;
        result.map(|_| Flow::Next)
    }
}

fn parse_text(text: &str, statement: &Statement, known: syntax::Types) -> SqlResult<syntax::Script> {
    let name = format!("{}:{}, executed text", statement.file, statement.line);
    syntax::parse_executed(&name, text, known).map_err(|errors| {
        let first = errors.into_iter().next();
        let message = first.as_ref().map_or_else(|| "it is not T-SQL".to_owned(), |error| error.message.clone());
        let error = SqlError::new(40_003, format!("in the executed text: {message}"));
        match first.and_then(|error| error.hint) {
            Some(hint) => error.with_hint(hint),
            None => error.with_hint(format!("the text was: {}", text.chars().take(200).collect::<String>())),
        }
    })
}
