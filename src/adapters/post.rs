//! E-mail in and out, print, hybrid mail.

use std::sync::Arc;

use adapter_post::out::Teller;
use adapter_post::out::settings::{self as out, Pdf};
use adapter_post::patterns::Patterns;
use adapter_post::{mail, out as ways};
use config::{HybridMail, MailIn, MailSecurity, MailServer, Print, Smtp};
use model::adapter::Adapter;
use net::line::{Security, Server};
use seal::x509::Trust;

use super::{Build, minutes, seconds};
use crate::error::Error;

impl Build<'_> {
    pub(super) fn mail(&self, it: &MailIn) -> Result<Arc<dyn Adapter>, Error> {
        let password = self.secret("password", &it.password)?;
        let mut settings = mail::Settings::new(&self.id(), self.server(&it.server)?, &it.user, password);
        settings.folder.clone_from(&it.folder);
        settings.done.clone_from(&it.done);
        settings.aside.clone_from(&it.aside);
        settings.domain.clone_from(&it.domain);
        settings.most_bytes = it.max_mb << 20;
        settings.pause = seconds(it.pause_seconds);
        settings.within = seconds(it.within_seconds);
        for pair in &it.keys {
            settings.keys.push(self.config.adapter_identity(self.entry, "keys", pair)?);
        }
        let anchors = self.config.adapter_certificates(self.entry, "trust", &it.trust)?;
        if !anchors.is_empty() {
            settings.trust = Some(Trust::new(&anchors)?);
        }
        let wrong = |_| self.refused("references", "expected regular expressions, here and in `cash`");
        settings.patterns = Patterns::new(&it.references, &it.cash).map_err(wrong)?;
        Ok(mail::adapter(settings))
    }

    pub(super) fn print(&self, it: &Print) -> Arc<dyn Adapter> {
        let pdf = Pdf {
            qpdf: it.qpdf.clone(),
            most_bytes: it.max_mb << 20,
            most_pages: it.max_pages,
            ..Pdf::default()
        };
        ways::print(out::Print { id: self.id(), folder: it.folder.clone(), pdf }, self.clock())
    }

    pub(super) fn hybrid_mail(&self, it: &HybridMail) -> Result<Arc<dyn Adapter>, Error> {
        let settings = out::Hybrid {
            id: self.id(),
            base: it.url.clone(),
            vendor: it.vendor.clone(),
            ekp: it.ekp.clone(),
            secret: self.secret("secret", &it.secret)?,
            password: self.secret("password", &it.password)?,
            test: it.test.clone(),
            cost_centre: it.cost_centre.clone(),
            pdf: Pdf {
                qpdf: it.qpdf.clone(),
                most_bytes: it.max_mb << 20,
                most_pages: it.max_pages,
                ..Pdf::default()
            },
            pause: minutes(it.pause_minutes),
            within: seconds(it.within_seconds),
        };
        Ok(ways::hybrid(settings, self.client(), self.clock()))
    }

    pub(super) fn smtp(&self, it: &Smtp) -> Result<Arc<dyn Adapter>, Error> {
        Ok(ways::mail(self.smtp_settings(it)?, self.clock())?)
    }

    /// Whoever sends texts of the house's own by the same server.
    pub(super) fn teller(&self, it: &Smtp) -> Result<Teller, Error> {
        Ok(ways::teller(self.smtp_settings(it)?, self.clock())?)
    }

    fn smtp_settings(&self, it: &Smtp) -> Result<out::Mail, Error> {
        let signer = it.signer.as_ref();
        let signer =
            signer.map(|pair| self.config.adapter_identity(self.entry, "signer", pair)).transpose()?;
        Ok(out::Mail {
            id: self.id(),
            server: self.server(&it.server)?,
            login: self.login(it.user.as_ref(), it.password.as_ref())?,
            from: it.from.clone(),
            name: it.name.clone(),
            domain: it.domain.clone(),
            subject: it.subject.clone(),
            text: it.text.clone(),
            signer,
            recipients: self.config.adapter_certificates(self.entry, "recipients", &it.recipients)?,
            only_encrypted: it.only_encrypted,
            most_bytes: it.max_mb << 20,
            within: seconds(it.within_seconds),
        })
    }

    fn server(&self, it: &MailServer) -> Result<Server, Error> {
        let trust = self.config.adapter_certificates(self.entry, "server.trust", &it.trust)?;
        Ok(Server {
            host: it.host.clone(),
            port: it.port,
            security: match it.security {
                MailSecurity::Tls => Security::Tls,
                MailSecurity::Starttls => Security::Later,
                MailSecurity::None => Security::Plain,
            },
            trust: (!trust.is_empty()).then_some(trust),
        })
    }
}
