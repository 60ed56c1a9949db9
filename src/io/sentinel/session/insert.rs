//! INSERT.

use super::super::capture::CapturedTransaction;
use super::super::catalog::Table;
use super::super::engine::Engine;
use super::super::error::{ScriptError, SqlError, SqlResult};
use super::super::plan::{Binder, Env, Scope};
use super::super::read::Tables;
use super::super::store::Row;
use super::super::syntax::ast::{Insert, InsertSource, TriggerEvents};
use super::super::value::Type;
use super::output::Written;
use super::update::no_column;
use super::write::Given;
use super::{Context, Observer, ResultSet};

impl Engine {
    pub(super) fn run_insert(&mut self, insert: &Insert, context: &mut Context<'_>) -> SqlResult<()> {
        let table = self.table(self.current_database(), &insert.table)?;
        let mut columns = self.columns(&table, &insert.columns)?;
        let mut rows: Vec<Vec<Given>> = match &insert.source {
            InsertSource::DefaultValues => {
                columns.clear();
                vec![Vec::new()]
            }
            InsertSource::Values(values) => {
                let mut binder = Binder::new(self);
                binder.add_ctes(&insert.ctes);
                let mut rows = Vec::with_capacity(values.len());
                for row in values {
                    let mut given = Vec::with_capacity(row.len());
                    for value in row {
                        given.push(match value {
                            Some(value) => {
                                let (bound, ty) = binder.expr(value)?;
                                Some((Env::new(self).eval(&bound)?, ty))
                            }
                            None => None,
                        });
                    }
                    rows.push(given);
                }
                rows
            }
            InsertSource::Query(query) => {
                let mut binder = Binder::new(self);
                binder.add_ctes(&insert.ctes);
                let plan = binder.query(query)?;
                let types: Vec<Type> = plan.columns.iter().map(|column| column.ty).collect();
                let rows = plan.run(self, None)?;
                let given = |row: Row| row.into_iter().zip(&types).map(|(value, ty)| Some((value, *ty))).collect();
                rows.into_iter().map(given).collect()
            }
            InsertSource::Execute(statement) => self.executed_rows(statement, context)?,
        };
        if let Some(top) = &insert.top {
            rows.truncate(self.top_count(top, rows.len())?);
        }
        rows.truncate(self.session.options.most_rows.unwrap_or(usize::MAX));
        if !matches!(insert.source, InsertSource::DefaultValues)
            && let Some(row) = rows.iter().find(|row| row.len() != columns.len())
        {
            return Err(SqlError::new(213, "Column name or number of supplied values does not match table definition.")
                .with_hint(format!("{} columns take values here, {} values are given", columns.len(), row.len())));
        }
        let stored = self.insert_rows(&table, &columns, rows)?;
        self.set_row_count(stored.len());
        let image = |new: Row| Written { action: "INSERT", old: None, new: Some(new), joined: Vec::new() };
        let written: Vec<Written> = stored.into_iter().map(image).collect();
        let events = TriggerEvents { insert: true, ..TriggerEvents::default() };
        self.after(&table, &Scope::default(), insert.output.as_ref(), written, (events, &[]), context)
    }

    fn executed_rows(
        &mut self,
        statement: &super::super::syntax::ast::Statement,
        context: &mut Context<'_>,
    ) -> SqlResult<Vec<Vec<Given>>> {
        struct Collector<'a> {
            outer: &'a mut dyn Observer,
            sets: Vec<ResultSet>,
        }
        impl Observer for Collector<'_> {
            fn printed(&mut self, text: &str) {
                self.outer.printed(text);
            }
            fn rows(&mut self, rows: &ResultSet) {
                self.sets.push(rows.clone());
            }
            fn committed(&mut self, transaction: CapturedTransaction) {
                self.outer.committed(transaction);
            }
            fn delayed(&mut self, millis: u64) {
                self.outer.delayed(millis);
            }
            fn settled(&mut self, tables: &Tables<'_>) {
                self.outer.settled(tables);
            }
            fn failed(&mut self, error: &ScriptError) {
                self.outer.failed(error);
            }
            fn noted(&mut self, file: &str, line: u32, text: &str) {
                self.outer.noted(file, line, text);
            }
        }
        let mut collector = Collector { outer: &mut *context.observer, sets: Vec::new() };
        let mut inner = Context { observer: &mut collector, failure: None, budget: context.budget, depth: context.depth };
        // The INSERT is a transaction of its own, which the procedure runs inside.
        let alone = self.session.transactions == 0;
        if alone {
            self.session.transactions = 1;
        }
        let result = self.run_statement(statement, &mut inner);
        if alone && self.session.transactions > 0 {
            self.session.transactions = 0;
        }
        let Context { budget, failure, .. } = inner;
        context.budget = budget;
        context.failure = context.failure.take().or(failure);
        result.map_err(|thrown| thrown.error)?;
        let given = |set: ResultSet| {
            let types: Vec<Type> = set.columns.iter().map(|(_, ty)| *ty).collect();
            let row = move |row: Row| row.into_iter().zip(&types).map(|(value, ty)| Some((value, *ty))).collect::<Vec<Given>>();
            set.rows.into_iter().map(row).collect::<Vec<_>>()
        };
        Ok(collector.sets.into_iter().flat_map(given).collect())
    }

    /// The columns that values are given for: those named, or all that take values.
    pub(super) fn columns(&self, table: &Table, names: &[String]) -> SqlResult<Vec<usize>> {
        if names.is_empty() {
            let explicit = self.session.identity_insert == Some(table.id);
            let takes = |column: &super::super::catalog::Column| {
                column.computed.is_none() && !column.row_version && (column.identity.is_none() || explicit)
            };
            return Ok((0..table.columns.len()).filter(|at| takes(&table.columns[*at])).collect());
        }
        let mut columns: Vec<usize> = Vec::with_capacity(names.len());
        for name in names {
            let at = table.column(name).ok_or_else(|| no_column(table, name))?;
            if table.columns[at].computed.is_some() {
                return Err(SqlError::new(
                    271,
                    format!(
                        "The column \"{name}\" cannot be modified because it is either a computed column or is the result of a UNION operator."
                    ),
                ));
            }
            if columns.contains(&at) {
                return Err(SqlError::new(
                    264,
                    format!(
                        "The column name '{name}' is specified more than once in the SET clause or column list of an INSERT."
                    ),
                ));
            }
            columns.push(at);
        }
        Ok(columns)
    }
}
