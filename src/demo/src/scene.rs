//! Who takes part: two gateways as processes of their own, and the simulators and tokens around them.

use conformance::simulate::auditor::Auditor;
use conformance::simulate::client::{Client, items, text};
use conformance::simulate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::partner::{Absent, Manner, Partner};
use conformance::simulate::portal::{self, Portal};
use conformance::simulate::records::RecordKeeping;
use conformance::simulate::sender::Sender;
use conformance::simulate::story::{Story, verify};
use conformance::simulate::{Error, osci, xta};
use serde_json::{Value, json};

use crate::Options;
use crate::fee::Till;
use crate::office::Office;
use crate::online::Online;
use crate::telephone::Telephone;

pub(crate) const REAL: &str = "echtes Programm";
pub(crate) const COUNTY_DMS: &str = "Simulator: DMS des Kreises";
pub(crate) const TOWN_DMS: &str = "Simulator: DMS der Stadt";
pub(crate) const PORTAL: &str = "Simulator: Portal";

/// The people and systems around the gateways.
pub(crate) struct Scene {
    pub(crate) county_gateway: Gateway,
    pub(crate) town_gateway: Gateway,
    /// By which transport they reach each other: `xta` or `osci`.
    pub(crate) way: &'static str,
    pub(crate) portal: Portal,
    pub(crate) sender: Sender,
    pub(crate) county: RecordKeeping,
    pub(crate) town: RecordKeeping,
    pub(crate) doorbell: Doorbell,
    pub(crate) till: Till,
    pub(crate) office: Office,
    pub(crate) online: Online,
    pub(crate) telephone: Telephone,
    /// Works on the applications.
    pub(crate) clerk: Client,
    /// Runs the county's gateway.
    pub(crate) operator: Client,
    /// A system of another unit of the county.
    pub(crate) stranger: Client,
    pub(crate) auditor: Auditor,
    /// The county's cash office.
    pub(crate) cashier: Client,
}

impl Scene {
    /// How a lane of the county's gateway stands: its way to a partner or to a system of the house.
    pub(crate) async fn lane(&self, name: &str) -> Result<Value, Error> {
        let lanes = self.operator.read("/lanes").await?;
        let found = items(&lanes, "items").iter().find(|lane| text(lane, "lane") == name).cloned();
        found.ok_or_else(|| Error::Unverified(format!("der Kreis hat den Weg {name}")))
    }

    /// The county's operator has what waits in a lane tried at once.
    pub(crate) async fn retry_lane(&self, name: &str, key: &str) -> Result<(), Error> {
        let path = format!("/lanes/{name}/retry");
        self.operator.post(&path, key, &json!({})).await?.expect(&path, &[200])?;
        Ok(())
    }
}

/// Where the town's record-keeping system is called when something has come. At first it is down.
pub(crate) struct Doorbell {
    pub(crate) subscription: String,
    down: Option<Absent>,
    up: Option<Partner>,
}

impl Doorbell {
    /// From now on it is there.
    pub(crate) fn answer(&mut self) -> Result<(), Error> {
        self.up = self.down.take().map(|absent| absent.start(Manner::Healthy)).transpose()?;
        Ok(())
    }

    /// How many different events it was told.
    pub(crate) fn calls(&self) -> usize {
        self.up.as_ref().map_or(0, Partner::count)
    }
}

pub(crate) async fn set_up(options: &Options, story: &mut Story) -> Result<Scene, Error> {
    let way = if options.osci { "osci" } else { "xta" };
    let step = story.step("Zwei Gateways einrichten und starten", REAL);
    let binary = std::env::current_exe()?;
    let (mut county_gateway, mut town_gateway) = match options.osci {
        true => osci::two_gateways(&binary, &Engine::Sqlite).await?,
        false => xta::two_gateways(&binary, &Engine::Sqlite).await?,
    };
    // The town's record-keeping system is a machine of the house.
    town_gateway.configure("[egress]\nallow = [\"127.0.0.1\"]\n")?;
    let till = Till::set_up(&county_gateway, &town_gateway).await?;
    let office = Office::set_up(&county_gateway).await?;
    let online = Online::set_up(&county_gateway).await?;
    let telephone = Telephone::set_up(&county_gateway).await?;
    let accesses = Accesses::make(&county_gateway, &town_gateway).await?;
    town_gateway.start().await?;
    county_gateway.start().await?;
    let count = accesses.check().await?;
    let pid = |gateway: &Gateway| gateway.pid().unwrap_or_default();
    let (ours, theirs) = (pid(&county_gateway), pid(&town_gateway));
    story.done(
        step,
        0,
        &format!("Kreis: Prozess {ours}, Stadt: Prozess {theirs}; eingebetteter Speicher, {count} Zugänge"),
    );
    tell_of_way(&county_gateway, way, story).await?;
    story.note(
        "Um das Gateway des Kreises: DMS (CMIS), Prozess-Engine (Camunda 7), Scan-Ordner, Archivordner, Telefonanlage",
    );
    let county = RecordKeeping::new(&accesses.county_dms, "63.1");
    let town = RecordKeeping::new(&accesses.town_dms, "4-63");
    let absent = Absent::reserve()?;
    let subscription = town.subscribe(&absent.url).await?;
    Ok(Scene {
        portal: Portal { client: accesses.portal },
        sender: Sender { client: accesses.sender },
        county,
        town,
        doorbell: Doorbell { subscription, down: Some(absent), up: None },
        till,
        office,
        online,
        telephone,
        clerk: accesses.clerk,
        cashier: accesses.cashier,
        operator: accesses.operator,
        stranger: accesses.stranger,
        auditor: Auditor { client: accesses.auditor, folder: county_gateway.folder().to_owned() },
        county_gateway,
        town_gateway,
        way,
    })
}

/// Who may call the gateways.
struct Accesses {
    portal: Client,
    /// Other authorities, whose containers are brought in for them.
    sender: Client,
    clerk: Client,
    county_dms: Client,
    town_dms: Client,
    operator: Client,
    stranger: Client,
    auditor: Client,
    cashier: Client,
}

impl Accesses {
    async fn make(county_gateway: &Gateway, town_gateway: &Gateway) -> Result<Self, Error> {
        let county = |roles, unit, service| Rights {
            tenant: COUNTY,
            roles,
            unit,
            service,
            authority: Some(COUNTY_KEY),
        };
        let building = |roles| county(roles, portal::UNIT, portal::SERVICE);
        let town =
            Rights { tenant: TOWN, authority: Some(TOWN_KEY), ..county(&["record-keeping"], "*", "*") };
        let ours = async |name, rights| token(county_gateway, name, rights).await;
        Ok(Accesses {
            portal: ours("portal", building(&["system"])).await?,
            sender: ours("absender", county(&["system"], portal::UNIT, "*")).await?,
            clerk: ours("sachbearbeitung", building(&["clerk"])).await?,
            county_dms: ours("dms-kreis", building(&["record-keeping"])).await?,
            town_dms: token(town_gateway, "dms-stadt", town).await?,
            operator: ours("betrieb", county(&["operator"], "*", "*")).await?,
            stranger: ours("abfallwirtschaft", county(&["system", "auditor"], "70", "*")).await?,
            auditor: ours("revision", county(&["auditor"], "*", "*")).await?,
            cashier: ours("kasse", county(&["cashier"], "*", "*")).await?,
        })
    }

    /// Each of them is known; the cash office reads no messages. How many there are.
    async fn check(&self) -> Result<usize, Error> {
        let Accesses { portal, sender, clerk, county_dms, town_dms, operator, stranger, auditor, cashier } =
            self;
        verify(cashier.get("/bookings").await?.status == 200, "das Token der Kasse wird erkannt")?;
        let others = [portal, sender, clerk, county_dms, town_dms, operator, stranger, auditor];
        for client in others {
            verify(client.get("/messages").await?.status == 200, "jedes Token wird erkannt")?;
        }
        Ok(others.len() + 1)
    }
}

/// By which way the county reaches the town, and by whose certificates: as its own gateway finds it, which asks the other side.
async fn tell_of_way(county: &Gateway, way: &str, story: &mut Story) -> Result<(), Error> {
    let check = county.run(&["partner", "check", TOWN_KEY, "--tenant", COUNTY, "--json"]).await?;
    let ways: Vec<&str> = items(&check, "ways").iter().map(|it| text(it, "transport")).collect();
    verify(ways == [way], "die Häuser erreichen sich auf diesem Weg allein")?;
    let certificates = items(&check[way], "certificates");
    let subjects: Vec<&str> = certificates.iter().map(|it| text(it, "subject")).collect();
    story.note(&format!(
        "Weg vom Kreis zur Stadt: „{way}“, die Gegenseite antwortet; {}",
        subjects.join(", ")
    ));
    Ok(())
}

pub(crate) async fn token(gateway: &Gateway, name: &str, rights: Rights<'_>) -> Result<Client, Error> {
    let secret = gateway.token(name, rights).await?;
    gateway.write_token(name, &secret)?;
    gateway.client(&secret)
}

/// Takes both gateways away, or leaves them running and says where they are.
pub(crate) async fn finish(scene: Scene, keep: bool, story: &mut Story) -> Result<(), Error> {
    for (whose, gateway) in [("des Kreises", scene.county_gateway), ("der Stadt", scene.town_gateway)] {
        match keep {
            true => tell_of(whose, gateway, story),
            false => gateway.remove().await?,
        }
    }
    Ok(())
}

/// Leaves a gateway running.
fn tell_of(whose: &str, gateway: Gateway, story: &mut Story) {
    let left = gateway.leave();
    let (pid, rest, operations) = (left.pid, &left.internal, &left.operations);
    story.note(&format!("Das Gateway {whose} läuft weiter als Prozess {pid}; beenden mit: kill {pid}"));
    story.note(&format!("REST: {rest}/api/v1, beschrieben unter {rest}/api/v1/openapi.json"));
    story.note(&format!("Betrieb: {operations}/health/ready und {operations}/metrics"));
    story.note(&format!("Zugänge: {}", left.folder.join("tokens").display()));
}
