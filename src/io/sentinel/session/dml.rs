//! INSERT, UPDATE, DELETE and MERGE.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::capture::CapturedTransaction;
use super::super::catalog::{Table, same};
use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Bound, Env, FromPlan, Scope, ScopeColumn, Source, arithmetic, table_leaf};
use super::super::read::Tables;
use super::super::store::Row;
use super::super::syntax::ast::{
    Cte, Delete, Expr, Insert, InsertSource, JoinKind, Merge, MergeAction, MergeWhen, ObjectName, Output, SetClause, TableRef,
    Top, Update,
};
use super::super::value::{Type, Value};
use super::write::{Change, Given, row_id};
use super::{Context, Observer, ResultSet};

/// The rows of the table that a statement writes to, joined with what else stands in its FROM.
struct Target {
    table: Arc<Table>,
    from: FromPlan,
    scope: Scope,
    /// Where the row id stands in a joined row.
    row_at: usize,
    /// Whether the table's columns follow the row id.
    whole: bool,
}

/// What OUTPUT can show of one written row.
struct Written {
    action: &'static str,
    old: Option<Row>,
    new: Option<Row>,
    joined: Row,
}

/// A column or variable to be set, and to what.
struct BoundSet {
    variable: Option<String>,
    column: Option<usize>,
    /// `None` is DEFAULT.
    value: Option<(Bound, Type)>,
}

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
        if !matches!(insert.source, InsertSource::DefaultValues)
            && let Some(row) = rows.iter().find(|row| row.len() != columns.len())
        {
            return Err(SqlError::new(213, "Column name or number of supplied values does not match table definition.")
                .with_hint(format!("{} columns take values here, {} values are given", columns.len(), row.len())));
        }
        let stored = self.insert_rows(&table, &columns, rows)?;
        self.set_row_count(stored.len());
        if let Some(output) = &insert.output {
            let written = stored
                .into_iter()
                .map(|new| Written { action: "INSERT", old: None, new: Some(new), joined: Vec::new() })
                .collect();
            self.put_out(output, &table, &Scope::default(), written, context.observer)?;
        }
        Ok(())
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
            fn noted(&mut self, line: u32, text: &str) {
                self.outer.noted(line, text);
            }
        }
        let mut collector = Collector { outer: &mut *context.observer, sets: Vec::new() };
        let mut inner = Context {
            observer: &mut collector,
            file: context.file,
            on_error: context.on_error,
            budget: context.budget,
            depth: context.depth,
        };
        // The INSERT is a transaction of its own, which the procedure runs inside.
        let alone = self.session.transactions == 0;
        if alone {
            self.session.transactions = 1;
        }
        let result = self.run_statement(statement, &mut inner);
        if alone && self.session.transactions > 0 {
            self.session.transactions = 0;
        }
        let budget = inner.budget;
        context.budget = budget;
        result.map_err(|thrown| thrown.error)?;
        let given = |set: ResultSet| {
            let types: Vec<Type> = set.columns.iter().map(|(_, ty)| *ty).collect();
            let row = move |row: Row| row.into_iter().zip(&types).map(|(value, ty)| Some((value, *ty))).collect::<Vec<Given>>();
            set.rows.into_iter().map(row).collect::<Vec<_>>()
        };
        Ok(collector.sets.into_iter().flat_map(given).collect())
    }

    /// The columns that values are given for: those named, or all that take values.
    fn columns(&self, table: &Table, names: &[String]) -> SqlResult<Vec<usize>> {
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

    fn top_count(&self, top: &Top, rows: usize) -> SqlResult<usize> {
        let count = match self.value(&top.count, Type::BigInt)? {
            Value::Int(n) => usize::try_from(n).unwrap_or(0),
            _ => {
                return Err(SqlError::new(
                    1060,
                    "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
                ));
            }
        };
        Ok(if top.percent { (rows * count.min(100)).div_ceil(100) } else { count })
    }

    fn target(&self, binder: &mut Binder<'_>, name: &ObjectName, from: Option<&TableRef>, ctes: &[Cte]) -> SqlResult<Target> {
        let bare = name.schema.is_none() && name.database.is_none();
        if let (true, Some(cte), None) = (bare, ctes.iter().find(|cte| same(&cte.name, &name.name)), from) {
            return self.cte_target(binder, cte);
        }
        let alone;
        let from = match from {
            None => {
                alone = TableRef::Named { name: name.clone(), alias: None };
                &alone
            }
            Some(from) if referred(from, name).is_some() => from,
            Some(from) => {
                // The table does not stand in FROM: each of its rows meets all rows there.
                let left = Box::new(TableRef::Named { name: name.clone(), alias: None });
                alone = TableRef::Join { kind: JoinKind::Inner, left, right: Box::new(from.clone()), on: None };
                &alone
            }
        };
        let Some((table_name, qualifier)) = referred(from, name) else { return Err(self.missing(name)) };
        if let (true, Some(cte)) = (bare, ctes.iter().find(|cte| same(&cte.name, &table_name.name))) {
            return Err(SqlError::unsupported(format!("writing through {} together with FROM", cte.name)));
        }
        let table = self.table(self.current_database(), &table_name)?;
        let (from, scope) = binder.from(from)?;
        let row_at = scope.columns.iter().position(|c| c.hidden && same(&c.qualifier, &qualifier));
        let row_at = row_at.ok_or_else(|| SqlError::unsupported(format!("writing through {name}")))?;
        Ok(Target { table, from, scope, row_at, whole: true })
    }

    /// A WITH query that rows are deleted or updated through: it must read one table.
    fn cte_target(&self, binder: &mut Binder<'_>, cte: &Cte) -> SqlResult<Target> {
        use super::super::syntax::ast::Body;
        let refused = || {
            SqlError::unsupported(format!("writing through {}, which is not a plain SELECT from a table", cte.name))
                .with_hint("write to the table itself, and name the rows with EXISTS or a join")
        };
        let Body::Select(select) = &cte.query.body else { return Err(refused()) };
        let mut leftmost = select.from.as_ref().ok_or_else(refused)?;
        while let TableRef::Join { left, .. } | TableRef::Apply { left, .. } = leftmost {
            leftmost = left;
        }
        let TableRef::Named { name, .. } = leftmost else { return Err(refused()) };
        if !select.group.is_empty() || select.distinct {
            return Err(refused());
        }
        let table = self.table(self.current_database(), name)?;
        binder.expose_row = true;
        let plan = binder.subquery(&cte.query)?;
        let name_of = |(at, column): (usize, &super::super::plan::OutputColumn)| ScopeColumn {
            qualifier: cte.name.clone(),
            name: at.checked_sub(1).and_then(|at| cte.columns.get(at)).unwrap_or(&column.name).clone(),
            ty: column.ty,
            hidden: at == 0,
        };
        let scope = Scope { columns: plan.plan.columns.iter().enumerate().map(name_of).collect() };
        let width = scope.columns.len();
        Ok(Target { table, from: FromPlan::leaf(Source::Query(plan), width), scope, row_at: 0, whole: false })
    }

    /// The joined rows, each row of the table once.
    fn target_rows(
        &self,
        binder: &mut Binder<'_>,
        target: &mut Target,
        filter: Option<&Expr>,
        top: Option<&Top>,
    ) -> SqlResult<Vec<Row>> {
        if let Some(filter) = filter {
            binder.scopes.push(std::mem::take(&mut target.scope));
            let bound = binder.condition(filter);
            target.scope = binder.scopes.pop().unwrap_or_default();
            bound?.conjuncts().into_iter().for_each(|condition| target.from.push(condition));
        }
        let mut rows = target.from.run(&Env::new(self), usize::MAX)?;
        let mut seen = HashSet::new();
        rows.retain(|row| match row.get(target.row_at) {
            Some(Value::Int(id)) => seen.insert(*id),
            _ => false,
        });
        if let Some(top) = top {
            rows.truncate(self.top_count(top, rows.len())?);
        }
        Ok(rows)
    }

    /// The table's own row out of a joined one.
    fn own_row(&self, target: &Target, joined: &Row) -> SqlResult<Row> {
        if target.whole {
            return Ok(joined[target.row_at..=target.row_at + target.table.columns.len()].to_vec());
        }
        let id = row_id(&joined[target.row_at..].to_vec());
        self.store().row(&target.table, id)?.ok_or_else(|| SqlError::unknown_object(&target.table.name))
    }

    pub(super) fn run_update(&mut self, update: &Update, observer: &mut dyn Observer) -> SqlResult<()> {
        let mut binder = Binder::new(self);
        binder.add_ctes(&update.ctes);
        let mut target = self.target(&mut binder, &update.target, update.from.as_ref(), &update.ctes)?;
        let rows = self.target_rows(&mut binder, &mut target, update.filter.as_ref(), update.top.as_ref())?;
        let sets = Self::bind_sets(&mut binder, &target, &update.sets)?;
        drop(binder);
        let mut changes = Vec::with_capacity(rows.len());
        for joined in &rows {
            let old = self.own_row(&target, joined)?;
            let new = self.changed(&target.table, &old, joined, &sets)?;
            changes.push(Change { old, new });
        }
        let set: Vec<usize> = sets.iter().filter_map(|set| set.column).collect();
        self.update_rows(&target.table, &mut changes, &set)?;
        self.set_row_count(changes.len());
        if let Some(output) = &update.output {
            let written = changes
                .into_iter()
                .zip(rows)
                .map(|(change, joined)| Written { action: "UPDATE", old: Some(change.old), new: Some(change.new), joined })
                .collect();
            self.put_out(output, &target.table, &target.scope, written, observer)?;
        }
        Ok(())
    }

    fn bind_sets(binder: &mut Binder<'_>, target: &Target, sets: &[SetClause]) -> SqlResult<Vec<BoundSet>> {
        let (table, scope) = (&target.table, &target.scope);
        binder.scopes.push(scope.clone());
        let mut bound: Vec<BoundSet> = Vec::with_capacity(sets.len());
        for set in sets {
            let column = match &set.column {
                Some(name) => Some(table.column(name).ok_or_else(|| no_column(table, name))?),
                None => None,
            };
            if let Some(at) = column {
                let column = &table.columns[at];
                if column.identity.is_some() {
                    return Err(SqlError::new(8102, format!("Cannot update identity column '{}'.", column.name)));
                }
                if column.computed.is_some() || column.row_version {
                    return Err(SqlError::new(
                        271,
                        format!(
                            "The column \"{}\" cannot be modified because it is either a computed column or is the result of a UNION operator.",
                            column.name
                        ),
                    ));
                }
                if bound.iter().any(|other| other.column == Some(at)) {
                    return Err(SqlError::new(
                        264,
                        format!(
                            "The column name '{}' is specified more than once in the SET clause or column list of an INSERT.",
                            column.name
                        ),
                    ));
                }
            }
            let value = match &set.value {
                None => None,
                Some(value) => {
                    let value = binder.expr(value)?;
                    Some(match set.operator {
                        None => value,
                        Some(operator) => {
                            let left = match (&set.column, &set.variable) {
                                (Some(column), _) => binder.expr(&own_column(scope, target.row_at, column))?,
                                (None, Some(variable)) => binder.expr(&Expr::Variable(variable.clone()))?,
                                (None, None) => return Err(SqlError::unsupported("this SET")),
                            };
                            arithmetic(operator, left, value)?
                        }
                    })
                }
            };
            bound.push(BoundSet { variable: set.variable.clone(), column, value });
        }
        binder.scopes.pop();
        Ok(bound)
    }

    fn changed(&mut self, table: &Arc<Table>, old: &Row, joined: &Row, sets: &[BoundSet]) -> SqlResult<Row> {
        let mut new = old.clone();
        for set in sets {
            let (value, from) = match (&set.value, set.column) {
                (Some((bound, from)), _) => (Env::new(self).with_row(joined).eval(bound)?, *from),
                (None, Some(at)) => match &table.columns[at].default {
                    Some((_, default)) => self.typed_value(default)?,
                    None => (Value::Null, Type::Null),
                },
                (None, None) => (Value::Null, Type::Null),
            };
            let (value, from) = match set.column {
                Some(at) => {
                    new[at + 1] = self.as_column(table, at, &value, from)?;
                    (new[at + 1].clone(), table.columns[at].ty)
                }
                None => (value, from),
            };
            if let Some(variable) = &set.variable {
                let ty = self.variable_type(variable)?;
                let value = self.as_variable(&value, from, ty)?;
                self.set_variable(variable, value)?;
            }
        }
        Ok(new)
    }

    pub(super) fn run_delete(&mut self, delete: &Delete, observer: &mut dyn Observer) -> SqlResult<()> {
        let mut binder = Binder::new(self);
        binder.add_ctes(&delete.ctes);
        let mut target = self.target(&mut binder, &delete.target, delete.from.as_ref(), &delete.ctes)?;
        let rows = self.target_rows(&mut binder, &mut target, delete.filter.as_ref(), delete.top.as_ref())?;
        drop(binder);
        let own = rows.iter().map(|joined| self.own_row(&target, joined)).collect::<SqlResult<Vec<Row>>>()?;
        self.delete_rows(&target.table, &own)?;
        self.set_row_count(own.len());
        if let Some(output) = &delete.output {
            let written = own
                .into_iter()
                .zip(rows)
                .map(|(old, joined)| Written { action: "DELETE", old: Some(old), new: None, joined })
                .collect();
            self.put_out(output, &target.table, &target.scope, written, observer)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "one pass over the joined rows, then the three kinds of writes")]
    pub(super) fn run_merge(&mut self, merge: &Merge, observer: &mut dyn Observer) -> SqlResult<()> {
        let table = self.table(self.current_database(), &merge.target)?;
        let mut binder = Binder::new(self);
        binder.add_ctes(&merge.ctes);
        let left = TableRef::Named { name: merge.target.clone(), alias: merge.alias.clone() };
        let joined = TableRef::Join {
            kind: JoinKind::Full,
            left: Box::new(left),
            right: Box::new(merge.source.clone()),
            on: Some(merge.on.clone()),
        };
        let (from, scope) = binder.from(&joined)?;
        let width = table.columns.len() + 1;
        let target = Target { table: Arc::clone(&table), from, scope, row_at: 0, whole: true };
        let scope = &target.scope;
        let rows = target.from.run(&Env::new(self), usize::MAX)?;
        let mut clauses = Vec::new();
        for clause in &merge.clauses {
            binder.scopes.push(scope.clone());
            let condition = clause.condition.as_ref().map(|c| binder.condition(c)).transpose()?;
            let values = match &clause.action {
                MergeAction::Insert { values: Some(values), .. } => {
                    values.iter().map(|v| v.as_ref().map(|v| binder.expr(v)).transpose()).collect::<SqlResult<Vec<_>>>()?
                }
                _ => Vec::new(),
            };
            binder.scopes.pop();
            let sets = match &clause.action {
                MergeAction::Update(sets) => Self::bind_sets(&mut binder, &target, sets)?,
                _ => Vec::new(),
            };
            clauses.push((clause, condition, sets, values));
        }
        drop(binder);
        let mut seen = HashSet::new();
        let (mut changes, mut changed_rows, mut gone, mut gone_rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut fresh, mut fresh_rows) = (Vec::new(), Vec::new());
        let mut set_columns = Vec::new();
        for row in rows {
            let in_target = !row[0].is_null();
            let in_source = row[width..].iter().any(|value| !value.is_null());
            let when = match (in_target, in_source) {
                (true, true) => MergeWhen::Matched,
                (false, _) => MergeWhen::NotMatchedByTarget,
                (true, false) => MergeWhen::NotMatchedBySource,
            };
            let mut chosen = None;
            for candidate in clauses.iter().filter(|(clause, ..)| clause.when == when) {
                let holds = match &candidate.1 {
                    Some(condition) => Env::new(self).with_row(&row).holds(condition)?,
                    None => true,
                };
                if holds {
                    chosen = Some(candidate);
                    break;
                }
            }
            let Some((clause, _, sets, values)) = chosen else { continue };
            if in_target && !seen.insert(row_id(&row)) {
                return Err(SqlError::new(
                    8672,
                    "The MERGE statement attempted to UPDATE or DELETE the same row more than once. This happens when a target row matches more than one source row.",
                ));
            }
            match &clause.action {
                MergeAction::Update(_) => {
                    let old = row[..width].to_vec();
                    let new = self.changed(&table, &old, &row, sets)?;
                    set_columns.extend(sets.iter().filter_map(|set| set.column));
                    changes.push(Change { old, new });
                    changed_rows.push(row);
                }
                MergeAction::Delete => {
                    gone.push(row[..width].to_vec());
                    gone_rows.push(row);
                }
                MergeAction::Insert { columns, .. } => {
                    let columns = self.columns(&table, columns)?;
                    let env = Env::new(self).with_row(&row);
                    let given: Vec<Given> = values
                        .iter()
                        .map(|v| v.as_ref().map(|(bound, ty)| Ok((env.eval(bound)?, *ty))).transpose())
                        .collect::<SqlResult<_>>()?;
                    if !given.is_empty() && given.len() != columns.len() {
                        return Err(SqlError::new(
                            213,
                            "Column name or number of supplied values does not match table definition.",
                        ));
                    }
                    fresh.push((if given.is_empty() { Vec::new() } else { columns }, given));
                    fresh_rows.push(row);
                }
            }
        }
        self.delete_rows(&table, &gone)?;
        if !changes.is_empty() {
            self.update_rows(&table, &mut changes, &set_columns)?;
        }
        let mut written: Vec<Written> = Vec::new();
        for ((columns, given), joined) in fresh.into_iter().zip(fresh_rows) {
            let new = self.insert_rows(&table, &columns, vec![given])?.pop();
            written.push(Written { action: "INSERT", old: None, new, joined });
        }
        let updated = changes.into_iter().zip(changed_rows);
        written.extend(updated.map(|(c, joined)| Written { action: "UPDATE", old: Some(c.old), new: Some(c.new), joined }));
        let deleted = gone.into_iter().zip(gone_rows);
        written.extend(deleted.map(|(old, joined)| Written { action: "DELETE", old: Some(old), new: None, joined }));
        self.set_row_count(written.len());
        if let Some(output) = &merge.output {
            self.put_out(output, &table, scope, written, observer)?;
        }
        Ok(())
    }

    /// OUTPUT: to the observer or into a table.
    fn put_out(
        &mut self,
        output: &Output,
        table: &Arc<Table>,
        joined: &Scope,
        written: Vec<Written>,
        observer: &mut dyn Observer,
    ) -> SqlResult<()> {
        let mut scope = Scope::default();
        let action =
            ScopeColumn { qualifier: String::new(), name: "$action".to_owned(), ty: Type::NVarChar(Some(10)), hidden: false };
        scope.columns.push(action);
        scope.columns.extend(table_leaf(table, "deleted").1.columns);
        scope.columns.extend(table_leaf(table, "inserted").1.columns);
        scope.columns.extend(joined.columns.clone());
        let mut binder = Binder::new(self);
        binder.scopes.push(scope);
        let (mut items, mut columns, mut assigns) = (Vec::new(), Vec::new(), Vec::new());
        for item in &output.items {
            binder.select_item(item, &mut items, &mut columns, &mut assigns)?;
        }
        drop(binder);
        let width = table.columns.len() + 1;
        let mut rows = Vec::with_capacity(written.len());
        for one in written {
            let image = |row: Option<Row>| row.unwrap_or_else(|| vec![Value::Null; width]);
            let mut row = vec![Value::text(one.action)];
            row.extend(image(one.old));
            row.extend(image(one.new));
            row.extend(one.joined);
            let env = Env::new(self).with_row(&row);
            rows.push(items.iter().map(|item| env.eval(item)).collect::<SqlResult<Row>>()?);
        }
        let Some((name, names)) = &output.into else {
            let columns = columns.into_iter().map(|column| (column.name, column.ty)).collect();
            observer.rows(&ResultSet { columns, rows });
            return Ok(());
        };
        let into = self.table(self.current_database(), name)?;
        let places = self.columns(&into, names)?;
        if places.len() != columns.len() {
            return Err(SqlError::new(213, "Column name or number of supplied values does not match table definition."));
        }
        let given = |row: Row| row.into_iter().zip(&columns).map(|(value, column)| Some((value, column.ty))).collect();
        let rows = rows.into_iter().map(given).collect();
        let (count, identity) = (self.session.row_count, self.session.identity.clone());
        let scope_identity = self.session.frames.last().and_then(|frame| frame.identity.clone());
        self.insert_rows(&into, &places, rows)?;
        // What OUTPUT writes on the side does not count.
        self.session.row_count = count;
        self.session.identity = identity;
        if let Some(frame) = self.session.frames.last_mut() {
            frame.identity = scope_identity;
        }
        Ok(())
    }
}

fn no_column(table: &Table, name: &str) -> SqlError {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    SqlError::unknown_column(name).with_hint(format!("{} has {}", table.display(), names.join(", ")))
}

/// The target's column by its qualified name: another table in FROM may have one of that name.
fn own_column(scope: &Scope, row_at: usize, column: &str) -> Expr {
    let qualifier = scope.columns.get(row_at).map_or("", |c| c.qualifier.as_str());
    Expr::Column(vec![qualifier.to_owned(), column.to_owned()])
}

/// The table in FROM that an UPDATE or DELETE names, by alias or by name, and its qualifier there.
fn referred(from: &TableRef, target: &ObjectName) -> Option<(ObjectName, String)> {
    fn all<'t>(from: &'t TableRef, found: &mut Vec<(&'t ObjectName, Option<&'t String>)>) {
        match from {
            TableRef::Named { name, alias } => found.push((name, alias.as_ref())),
            TableRef::Join { left, right, .. } | TableRef::Apply { left, right, .. } => {
                all(left, found);
                all(right, found);
            }
            TableRef::Derived { .. } | TableRef::Function { .. } => {}
        }
    }
    let mut tables = Vec::new();
    all(from, &mut tables);
    let bare = target.schema.is_none() && target.database.is_none();
    let by_alias = tables.iter().find(|(_, alias)| bare && alias.is_some_and(|alias| same(alias, &target.name)));
    let by_name = || tables.iter().find(|(name, _)| same(&name.name, &target.name));
    let (name, alias) = by_alias.or_else(by_name)?;
    Some(((*name).clone(), alias.map_or_else(|| name.name.clone(), |alias| (*alias).clone())))
}
