//! Who acts for whom: principals, and behind each the agents in the order in which the authority has passed through them.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::filter::Filter;
use super::index::{Index, Row};
use super::names::Name;

/// In a longer chain the agents behind these are not drawn.
const MAX_COLUMNS: usize = 8;

/// In a column with more, those with the fewest records are one node.
const MAX_NODES: usize = 12;

/// The graph, column by column.
#[derive(Debug, Default, Serialize)]
pub(super) struct Graph<'i> {
    nodes: Vec<Node<'i>>,
    edges: Vec<Edge>,
    /// Whether there are longer chains.
    is_cut: bool,
}

#[derive(Debug, Serialize)]
struct Node<'i> {
    /// 0 for principals.
    column: usize,
    /// Absent for those that are drawn as one.
    name: Option<&'i str>,
    /// How many are drawn as one.
    others: usize,
    allowed: u64,
    denied: u64,
}

/// Between two nodes, by their places in [`Graph::nodes`].
#[derive(Debug, Serialize)]
struct Edge {
    from: usize,
    to: usize,
    allowed: u64,
    denied: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    allowed: u64,
    denied: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.allowed += other.allowed;
        self.denied += other.denied;
    }
}

impl<'i> Graph<'i> {
    pub(super) fn of(index: &'i Index, filter: &Filter) -> Self {
        let Some(chosen) = filter.look_up(index) else { return Self::default() };
        let mut paths: HashMap<(Name, u32), (&Row, Count)> = HashMap::new();
        for row in chosen.rows().filter(|row| row.principal != Name::NONE) {
            let allowed = u64::from(row.effect == index.words.allow);
            let (_, count) = paths.entry((row.principal, row.chain)).or_insert((row, Count::default()));
            count.add(Count { allowed, denied: 1 - allowed });
        }
        let mut graph = Self::default();
        let mut columns: Vec<HashMap<Name, Count>> = vec![HashMap::new(); MAX_COLUMNS];
        for (row, count) in paths.values() {
            graph.is_cut |= index.chain(row).len() >= MAX_COLUMNS;
            for (column, name) in columns.iter_mut().zip(path(index, row)) {
                column.entry(name).or_default().add(*count);
            }
        }
        let places: Vec<_> =
            columns.into_iter().enumerate().map(|(column, counts)| graph.draw(index, column, counts)).collect();
        let mut edges: BTreeMap<(usize, usize), Count> = BTreeMap::new();
        for (row, count) in paths.values() {
            let drawn = || places.iter().zip(path(index, row)).filter_map(|(places, name)| places.get(&name).copied());
            for edge in drawn().zip(drawn().skip(1)) {
                edges.entry(edge).or_default().add(*count);
            }
        }
        let edge = |((from, to), Count { allowed, denied })| Edge { from, to, allowed, denied };
        graph.edges = edges.into_iter().map(edge).collect();
        graph
    }

    /// Adds a column, and says where its names are among the nodes.
    fn draw(&mut self, index: &'i Index, column: usize, counts: HashMap<Name, Count>) -> HashMap<Name, usize> {
        let mut counts: Vec<_> = counts.into_iter().collect();
        let weight = |count: &Count| count.allowed + count.denied;
        counts.sort_unstable_by(|(a, of_a), (b, of_b)| {
            weight(of_b).cmp(&weight(of_a)).then_with(|| index.names.text(*a).cmp(index.names.text(*b)))
        });
        // One node in place of another would say less, in as much room.
        let kept = if counts.len() > MAX_NODES { MAX_NODES - 1 } else { MAX_NODES };
        let rest = counts.split_off(kept.min(counts.len()));
        let mut places = HashMap::new();
        for (name, Count { allowed, denied }) in counts {
            places.insert(name, self.nodes.len());
            self.nodes.push(Node { column, name: Some(index.names.text(name)), others: 0, allowed, denied });
        }
        if !rest.is_empty() {
            let mut sum = Count::default();
            for (name, count) in &rest {
                places.insert(*name, self.nodes.len());
                sum.add(*count);
            }
            let Count { allowed, denied } = sum;
            self.nodes.push(Node { column, name: None, others: rest.len(), allowed, denied });
        }
        places
    }
}

/// The principal, and the agents from the first to the current one.
fn path<'i>(index: &'i Index, row: &'i Row) -> impl Iterator<Item = Name> + 'i {
    std::iter::once(row.principal).chain(index.chain(row).iter().rev().copied())
}

#[cfg(test)]
mod tests {
    use agentauth_audit::read::View;
    use serde_json::{Value, json};

    use super::super::index::Place;
    use super::*;

    fn decision(effect: &str, chain: &[Value]) -> Value {
        let (current, mode) = (&chain[0]["agent"], "on_behalf_of");
        json!({
            "version": 2, "kind": "decision", "evaluation_id": "1", "time": "", "server": "", "effect": effect, "code": "c",
            "delegation": {"agent": current, "mode": mode, "principal_hash": "h", "chain": chain},
        })
    }

    fn push(index: &mut Index, number: u64, body: &Value, personal: &Value) {
        let (body, personal) = (body.to_string(), personal.to_string());
        let record = View::read(body.as_bytes(), personal.as_bytes());
        assert!(record.is_some());
        index.push(number, number, Place { segment: 0, offset: 0 }, record.as_ref());
    }

    #[test]
    fn a_chain_is_drawn_from_the_principal_on_and_the_rare_are_one_node() {
        let mut index = Index::new(1000);
        let mut decided = |number: u64, principal: &str, agents: &[&str], effect: &str| {
            let chain: Vec<_> = agents.iter().map(|agent| json!({"agent": {"spiffe": agent}})).collect();
            let personal = json!({"principal": {"issuer": "i", "kind": "subject", "subject": principal}});
            push(&mut index, number, &decision(effect, &chain), &personal);
        };
        decided(0, "alice", &["b", "a"], "allow");
        decided(1, "alice", &["b", "a"], "deny");
        for n in 2..40 {
            decided(n, &format!("p{n}"), &["c"], "allow");
        }
        let graph = Graph::of(&index, &Filter::default());
        let node =
            |n: usize| (graph.nodes[n].column, graph.nodes[n].name, graph.nodes[n].allowed, graph.nodes[n].denied);
        assert_eq!(node(0), (0, Some("i#alice"), 1, 1));
        assert_eq!((graph.nodes[MAX_NODES - 1].others, node(MAX_NODES - 1).1), (39 - (MAX_NODES - 1), None));
        assert_eq!((node(MAX_NODES), node(MAX_NODES + 1)), ((1, Some("c"), 38, 0), (1, Some("a"), 1, 1)));
        assert_eq!(node(MAX_NODES + 2), (2, Some("b"), 1, 1));
        let edge = graph.edges.iter().find(|edge| edge.from == MAX_NODES + 1).unwrap();
        assert_eq!((edge.to, edge.allowed, edge.denied), (MAX_NODES + 2, 1, 1));
        assert!(!graph.is_cut);
    }

    #[test]
    fn a_long_chain_is_cut_and_it_is_said() {
        let mut index = Index::new(10);
        let chain: Vec<_> = (0..64).map(|n| json!({"agent": {"spiffe": format!("a{n}")}})).collect();
        push(&mut index, 0, &decision("allow", &chain), &json!({}));
        let graph = Graph::of(&index, &Filter::default());
        assert!(graph.is_cut);
        assert_eq!((graph.nodes.len(), graph.edges.len()), (MAX_COLUMNS, MAX_COLUMNS - 1));
        assert_eq!(graph.nodes[0].name, Some("h (erased)"));
    }
}
