//! The fields of rights, for users and tokens: roles, units, services, authority; and what is read of them.

use std::collections::BTreeSet;

use broker::Error;
use broker::house::Tenant;
use maud::{Markup, html};
use model::rights::Within;
use model::{Authority, Caller, Role};

use super::said;
use crate::Console;
use crate::form::Form;
use crate::page::Look;

/// What stands for all of the tenant.
const ALL: &str = "*";

/// Rights as fields show and send them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rights {
    pub(super) roles: Vec<Role>,
    pub(super) units: Within,
    pub(super) services: Within,
    pub(super) authority: Option<Authority>,
}

impl Rights {
    /// Nothing yet, for the authority of who gives them.
    fn none(caller: &Caller) -> Self {
        Rights {
            roles: vec![],
            units: Within::Only(BTreeSet::new()),
            services: Within::All,
            authority: caller.authority.clone(),
        }
    }

    /// As they were sent.
    pub(super) fn of(form: &Form) -> Self {
        let roles =
            Role::ALL.into_iter().filter(|it| form.all("role").any(|name| name == said::name_of(*it)));
        let units: BTreeSet<String> = form.all("unit").map(str::to_owned).collect();
        let is_sign = |it: char| it == ',' || it == ';' || it.is_whitespace();
        let services: BTreeSet<String> =
            form.field("services").split(is_sign).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let within =
            |names: BTreeSet<String>| if names.contains(ALL) { Within::All } else { Within::Only(names) };
        Rights {
            roles: roles.collect(),
            units: within(units),
            services: within(services),
            authority: form.given("authority").and_then(|it| it.parse().ok()),
        }
    }

    /// Of a form for somebody new: none, or as they were sent if something was wrong.
    pub(super) fn of_new(caller: &Caller, form: &Form, error: Option<&Error>) -> Self {
        match error {
            Some(_) => Rights::of(form),
            None => Rights::none(caller),
        }
    }

    /// The fields. Only what the caller has is offered.
    pub(super) fn fields(&self, console: &Console, look: &Look, caller: &Caller) -> Markup {
        let Some(tenant) = console.broker.house().tenants().find(|it| it.id == caller.scope.tenant) else {
            return html! {};
        };
        html! {
            fieldset.card {
                legend { (look.of_two("Rollen", "Roles")) }
                @for role in Role::ALL {
                    @let (id, name) = (format!("role-{}", said::name_of(role)), said::name_of(role));
                    div.choice {
                        input type="checkbox" id=(id) name="role" value=(name) checked[self.roles.contains(&role)];
                        div {
                            label for=(id) { strong { (said::role(look, role)) } }
                            details.allows {
                                summary { (look.of_two("Was das erlaubt", "What it allows")) span.unseen { ": " (said::role(look, role)) } }
                                (said::allows(look, role))
                            }
                        }
                    }
                }
            }
            (self.unit_fields(look, tenant, caller))
            div.card {
                label for="services" { (look.of_two("Leistungen", "Public services")) }
                p.hint #services-hint { (look.of_two(
                    "Kurznamen, durch Kommas getrennt; * steht für alle.", "Short names with commas between; * stands for all.",
                )) }
                input #services type="text" name="services" aria-describedby="services-hint" value=(listed(&self.services));
                (self.authority_field(look, tenant, caller))
            }
        }
    }

    fn unit_fields(&self, look: &Look, tenant: &Tenant, caller: &Caller) -> Markup {
        let units = tenant.units.iter().filter(|it| caller.scope.units.covers(Some(&it.id)));
        html! {
            fieldset.card {
                legend { (look.of_two("Organisationseinheiten", "Organisational units")) }
                @if caller.scope.units == Within::All {
                    div.choice {
                        input type="checkbox" #unit-all name="unit" value=(ALL) checked[self.units == Within::All];
                        label for="unit-all" { (look.of_two("alle, auch künftige", "all, and those to come")) }
                    }
                }
                @for unit in units {
                    @let id = format!("unit-{}", unit.id);
                    @let checked = self.units != Within::All && self.units.covers(Some(&unit.id));
                    div.choice {
                        input type="checkbox" id=(id) name="unit" value=(unit.id) checked[checked];
                        label for=(id) { (unit.id) " " (unit.name) }
                    }
                }
            }
        }
    }

    fn authority_field(&self, look: &Look, tenant: &Tenant, caller: &Caller) -> Markup {
        let is_whole = caller.scope.units == Within::All;
        let own = |it: &Authority| is_whole || caller.authority.as_ref() == Some(it);
        let known = tenant.authorities.iter().filter(|it| own(&it.key));
        html! {
            label for="authority" { (look.of_two("Behörde, für die gehandelt wird", "Authority acted for")) }
            select #authority name="authority" {
                @if is_whole || caller.authority.is_none() {
                    option value="" selected[self.authority.is_none()] { (look.of_two("keine bestimmte", "none in particular")) }
                }
                @for it in known {
                    option value=(it.key) selected[self.authority.as_ref() == Some(&it.key)] { (it.name) " (" (it.key) ")" }
                }
            }
        }
    }
}

fn listed(within: &Within) -> String {
    match within {
        Within::All => ALL.to_owned(),
        Within::Only(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}
