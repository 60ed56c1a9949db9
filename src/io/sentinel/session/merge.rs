//! MERGE.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::engine::Engine;
use super::super::error::{SqlError, SqlResult};
use super::super::plan::{Binder, Env};
use super::super::syntax::ast::{JoinKind, Merge, MergeAction, MergeWhen, TableRef, TriggerEvents};
use super::Context;
use super::output::Written;
use super::target::Target;
use super::write::{Change, Given, row_id};

impl Engine {
    #[expect(clippy::too_many_lines, reason = "one pass over the joined rows, then the three kinds of writes")]
    pub(super) fn run_merge(&mut self, merge: &Merge, context: &mut Context<'_>) -> SqlResult<()> {
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
        let mut events = TriggerEvents::default();
        for clause in &merge.clauses {
            match clause.action {
                MergeAction::Insert { .. } => events.insert = true,
                MergeAction::Update(_) => events.update = true,
                MergeAction::Delete => events.delete = true,
            }
        }
        self.after(&table, scope, merge.output.as_ref(), written, (events, &set_columns), context)
    }
}
