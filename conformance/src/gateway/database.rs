//! The database of a test gateway: a file of its own, or a database created for it on a PostgreSQL
//! server and dropped afterwards.

use sqlx::{Connection, PgConnection};

use crate::Error;

/// Names the PostgreSQL server that tests may create databases on.
const SERVER: &str = "AMTSBOTE_TEST_POSTGRES";

/// Which engine a gateway runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// PostgreSQL, reached by this URL.
    Postgres(String),
}

impl Engine {
    /// By its name on the command line. PostgreSQL takes its server from `AMTSBOTE_TEST_POSTGRES`.
    ///
    /// # Errors
    /// If the name is unknown or no server is named.
    pub fn named(name: &str) -> Result<Self, Error> {
        match name {
            "sqlite" => Ok(Engine::Sqlite),
            "postgres" => match std::env::var(SERVER) {
                Ok(url) if !url.is_empty() => Ok(Engine::Postgres(url)),
                _ => Err(Error::Start(format!("{SERVER} names no PostgreSQL server"))),
            },
            _ => Err(Error::Start("the engine is sqlite or postgres".into())),
        }
    }

    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres(_) => "postgres",
        }
    }
}

/// One gateway's database.
#[derive(Debug)]
pub struct Database {
    server: Option<String>,
    name: String,
}

impl Database {
    pub(super) async fn create(engine: &Engine) -> Result<Self, Error> {
        let name = format!("amtsbote_{}", uuid::Uuid::now_v7().simple());
        let Engine::Postgres(server) = engine else { return Ok(Database { server: None, name }) };
        run(server, format!("CREATE DATABASE {name}")).await?;
        Ok(Database { server: Some(server.clone()), name })
    }

    /// The URL for the gateway's configuration.
    pub fn url(&self) -> String {
        match &self.server {
            None => "sqlite:data/amtsbote.db".to_owned(),
            Some(server) => with_database(server, &self.name),
        }
    }

    pub(super) async fn drop(&self) -> Result<(), Error> {
        match &self.server {
            None => Ok(()),
            Some(server) => run(server, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await,
        }
    }
}

async fn run(server: &str, sql: String) -> Result<(), Error> {
    let mut connection = PgConnection::connect(server).await?;
    // The only variable part is a name made above of letters and digits.
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// `url` with its path replaced; host, user and parameters stay.
fn with_database(url: &str, name: &str) -> String {
    let (front, parameters) = url.split_once('?').map_or((url, None), |(front, rest)| (front, Some(rest)));
    let (scheme, rest) = front.split_once("://").unwrap_or(("postgres", front));
    let host = rest.split('/').next().unwrap_or_default();
    let parameters = parameters.map(|rest| format!("?{rest}")).unwrap_or_default();
    format!("{scheme}://{host}/{name}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_in_a_url_is_replaced() {
        assert_eq!(with_database("postgres://u@h:1/a?x=y", "b"), "postgres://u@h:1/b?x=y");
        assert_eq!(with_database("postgres://h", "b"), "postgres://h/b");
        assert_eq!(with_database("postgres:///a?host=/run/pg", "b"), "postgres:///b?host=/run/pg");
    }
}
