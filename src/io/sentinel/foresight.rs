//! What can be known to fail before anything of a script runs: calls of procedures that are not there, jumps to nowhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalog::{Catalog, Object, same};
use super::error::ScriptError;
use super::session::system_procedure;
use super::syntax::ast::{InsertSource, Kind, Statement};
use super::syntax::{FunctionCall, Script};

/// All such errors of a script that runs after others.
pub(crate) fn errors(catalog: &Catalog, script: &Script, earlier: &[Script]) -> Vec<ScriptError> {
    let mut errors = unknown_procedures(catalog, script, earlier);
    errors.extend(unknown_functions(catalog, script, earlier));
    for batch in &script.batches {
        lost_jumps(&batch.statements, &mut Vec::new(), &mut errors);
    }
    errors.sort_by_key(|error| error.line);
    errors
}

fn error(statement: &Statement, message: String, hint: impl Into<String>) -> ScriptError {
    let (file, line, text) = (statement.file.to_string(), statement.line, statement.text.to_string());
    ScriptError { file, line, statement: text, number: None, message, hint: Some(hint.into()) }
}

/// A call, and whether it runs in any case.
struct Call<'s> {
    statement: &'s Statement,
    name: &'s str,
    certain: bool,
}

#[derive(Default)]
struct Calls<'s> {
    made: BTreeSet<String>,
    called: Vec<Call<'s>>,
    /// Text that is executed may make any procedure.
    executes_text: bool,
}

impl<'s> Calls<'s> {
    fn collect(&mut self, statement: &'s Statement, certain: bool) {
        match &statement.kind {
            Kind::CreateProcedure { name, .. } | Kind::CreateSynonym { name, .. } => {
                self.made.insert(name.name.to_lowercase());
            }
            Kind::ExecuteText(_) => self.executes_text = true,
            Kind::Execute(execute) => {
                let name = &execute.procedure.name;
                self.executes_text |= name.eq_ignore_ascii_case("sp_executesql");
                self.called.push(Call { statement, name, certain });
            }
            _ => {}
        }
        let plain = matches!(statement.kind, Kind::Block(_) | Kind::Insert(_));
        each_inner(statement, &mut |inner| self.collect(inner, certain && plain));
    }
}

/// A procedure that may be missing by intention, since its call is guarded, is left to the run.
fn unknown_procedures(catalog: &Catalog, script: &Script, earlier: &[Script]) -> Vec<ScriptError> {
    let mut found = Calls::default();
    for script in earlier.iter().chain([script]) {
        // what an earlier one calls was looked at before
        found.called.clear();
        script.batches.iter().flat_map(|batch| &batch.statements).for_each(|statement| found.collect(statement, true));
    }
    let there = |name: &str| {
        let is_it = |object: &Object| matches!(object, Object::Procedure(_) | Object::Synonym(_)) && same(object.name().1, name);
        catalog.databases().any(|database| database.objects.values().any(is_it))
    };
    let mut errors = Vec::new();
    for Call { statement, name, certain } in &found.called {
        if name.starts_with('@') || found.made.contains(&name.to_lowercase()) || there(name) {
            continue;
        }
        let begins_with_exec = statement.text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("EXEC"));
        let message = match system_procedure(name) {
            Some(true) => continue,
            Some(false) => format!("the system procedure {name} is not supported by the embedded Sentinel"),
            None if found.executes_text || begins_with_exec && !certain => continue,
            None => format!("there is no procedure {name}, and no script up to here makes it"),
        };
        let hint = if begins_with_exec {
            "procedures are made with CREATE PROCEDURE, in this script or one before it".to_owned()
        } else {
            format!("a statement that begins with no keyword calls a procedure: is {name} misspelt?")
        };
        errors.push(error(statement, message, hint));
    }
    errors
}

/// Calls of functions that nothing has made.
fn unknown_functions(catalog: &Catalog, script: &Script, earlier: &[Script]) -> Vec<ScriptError> {
    if script.functions.is_empty() {
        return Vec::new();
    }
    let mut made = BTreeSet::new();
    let mut executes_text = false;
    for statement in earlier.iter().chain([script]).flat_map(|script| &script.batches).flat_map(|batch| &batch.statements) {
        visit(statement, &mut |statement| match &statement.kind {
            Kind::CreateFunction { name, .. } | Kind::CreateSynonym { name, .. } => {
                made.insert(name.name.to_lowercase());
            }
            Kind::ExecuteText(_) => executes_text = true,
            Kind::Execute(execute) => executes_text |= execute.procedure.name.eq_ignore_ascii_case("sp_executesql"),
            _ => {}
        });
    }
    let there = |name: &str| {
        let is_it = |object: &Object| matches!(object, Object::Function(_) | Object::Synonym(_)) && same(object.name().1, name);
        catalog.databases().any(|database| database.objects.values().any(is_it))
    };
    let of_capture = |name: &str| name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("fn_cdc_get_"));
    let unknown = script
        .functions
        .iter()
        .filter(|call| !of_capture(&call.name) && !made.contains(&call.name.to_lowercase()) && !there(&call.name));
    let error = |call: &FunctionCall| ScriptError {
        file: call.file.to_string(),
        line: call.line,
        statement: call.statement.to_string(),
        number: None,
        message: format!("there is no function {}, and no script up to here makes it", call.name),
        hint: Some("functions are made with CREATE FUNCTION, in this script or one before it".to_owned()),
    };
    if executes_text { Vec::new() } else { unknown.map(error).collect() }
}

/// GOTOs whose label stands neither beside them nor around them.
fn lost_jumps<'s>(statements: &'s [Statement], around: &mut Vec<&'s Arc<str>>, errors: &mut Vec<ScriptError>) {
    let outside = around.len();
    around.extend(
        statements.iter().filter_map(|statement| if let Kind::Label(label) = &statement.kind { Some(label) } else { None }),
    );
    for statement in statements {
        match &statement.kind {
            Kind::Goto(label) if !around.contains(&label) => {
                let message = format!("there is no label {label} here to go to");
                errors.push(error(statement, message, "GOTO can go to a label beside it or in a block around it"));
            }
            Kind::CreateProcedure { procedure, .. } => lost_jumps(&procedure.body, &mut Vec::new(), errors),
            Kind::CreateTrigger(trigger) => lost_jumps(&trigger.body.body, &mut Vec::new(), errors),
            Kind::CreateFunction { function, .. } => lost_jumps(function.statements(), &mut Vec::new(), errors),
            Kind::Block(list) => lost_jumps(list, around, errors),
            Kind::Try { body, catch } => {
                lost_jumps(body, around, errors);
                lost_jumps(catch, around, errors);
            }
            _ => each_inner(statement, &mut |inner| lost_jumps(std::slice::from_ref(inner), around, errors)),
        }
    }
    around.truncate(outside);
}

/// Calls `found` for a statement and all statements in it.
pub(crate) fn visit<'s>(statement: &'s Statement, found: &mut dyn FnMut(&'s Statement)) {
    found(statement);
    each_inner(statement, &mut |inner| visit(inner, found));
}

/// Calls `found` for the statements that stand right inside one.
fn each_inner<'s>(statement: &'s Statement, found: &mut dyn FnMut(&'s Statement)) {
    match &statement.kind {
        Kind::Block(list) => list.iter().for_each(found),
        Kind::If { then, otherwise, .. } => {
            found(then);
            if let Some(otherwise) = otherwise {
                found(otherwise);
            }
        }
        Kind::While { body, .. } => found(body),
        Kind::Try { body, catch } => body.iter().chain(catch).for_each(found),
        Kind::CreateProcedure { procedure, .. } => procedure.body.iter().for_each(found),
        Kind::CreateTrigger(trigger) => trigger.body.body.iter().for_each(found),
        Kind::CreateFunction { function, .. } => function.statements().iter().for_each(found),
        Kind::Insert(insert) => {
            if let InsertSource::Execute(inner) = &insert.source {
                found(inner);
            }
        }
        _ => {}
    }
}
