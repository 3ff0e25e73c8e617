//! Whoever calls at a gateway's public doors: the provider with a notification, or the browser of a payer.

use std::path::Path;

use reqwest::{Certificate, Client, redirect};

use super::Notification;
use crate::Error;

/// A caller from outside. It follows no redirection.
#[derive(Debug, Clone)]
pub struct Visitor {
    http: Client,
    encrypts: bool,
}

impl Visitor {
    /// One that trusts the authority of certificates (PEM) in this file. If there is none, the doors are taken to be in the clear.
    ///
    /// # Errors
    /// If the certificate cannot be read or used.
    pub fn trusting(authority: &Path) -> Result<Self, Error> {
        let builder = Client::builder().redirect(redirect::Policy::none());
        let encrypts = authority.exists();
        let builder = match encrypts {
            true => builder.add_root_certificate(Certificate::from_pem(&std::fs::read(authority)?)?),
            false => builder,
        };
        Ok(Visitor { http: builder.build()?, encrypts })
    }

    /// The address of doors at a port of the loopback.
    pub fn address(&self, port: u16) -> String {
        format!("http{}://127.0.0.1:{port}", if self.encrypts { "s" } else { "" })
    }

    /// Sends a notification; gives the status of the answer.
    ///
    /// # Errors
    /// If there is none.
    pub async fn send(&self, notification: &Notification) -> Result<u16, Error> {
        notification.send(&self.http).await
    }

    /// Submits a form, as an app does; gives the status of the answer, and its JSON if it is any.
    ///
    /// # Errors
    /// If there is none.
    pub async fn submit(&self, url: &str, form: String) -> Result<(u16, serde_json::Value), Error> {
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.unwrap_or_default()))
    }

    /// Opens an address, as the payer's browser does; gives the status of the answer.
    ///
    /// # Errors
    /// If there is none.
    pub async fn open(&self, url: &str) -> Result<u16, Error> {
        Ok(self.http.get(url).send().await?.status().as_u16())
    }
}
