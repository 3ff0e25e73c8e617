//! Namespace bindings in scope (Namespaces in XML 1.0, sections 3 and 6).

use crate::names::Symbol;

/// Bindings by prefix, with a log that takes them back when an element closes.
pub(crate) struct Scope {
    /// Namespace of each prefix, by the prefix' number; `None` is "not declared".
    bound: Vec<Option<Symbol>>,
    /// (prefix, what it was bound to before), oldest first.
    log: Vec<(Symbol, Option<Symbol>)>,
}

impl Scope {
    pub(crate) fn new() -> Self {
        let mut scope = Scope { bound: Vec::new(), log: Vec::new() };
        scope.bind(Symbol::XML, Symbol::XML_NAMESPACE);
        scope.log.clear();
        scope
    }

    /// A point to return to with [`Scope::restore`].
    pub(crate) fn mark(&self) -> usize {
        self.log.len()
    }

    pub(crate) fn restore(&mut self, mark: usize) {
        while self.log.len() > mark {
            if let Some((prefix, before)) = self.log.pop() {
                self.bound[prefix.index()] = before;
            }
        }
    }

    /// Binds a prefix; the empty namespace takes the default namespace back.
    pub(crate) fn bind(&mut self, prefix: Symbol, namespace: Symbol) {
        if self.bound.len() <= prefix.index() {
            self.bound.resize(prefix.index() + 1, None);
        }
        let namespace = (namespace != Symbol::EMPTY).then_some(namespace);
        let before = std::mem::replace(&mut self.bound[prefix.index()], namespace);
        self.log.push((prefix, before));
    }

    pub(crate) fn namespace(&self, prefix: Symbol) -> Option<Symbol> {
        self.bound.get(prefix.index()).copied().flatten()
    }

    /// Every binding in scope but that of `xml`, each prefix once.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = (Symbol, Symbol)> {
        let bound = |(index, namespace): (usize, &Option<Symbol>)| Some((Symbol::at(index), (*namespace)?));
        self.bound.iter().enumerate().filter_map(bound).filter(|(prefix, _)| *prefix != Symbol::XML)
    }
}
