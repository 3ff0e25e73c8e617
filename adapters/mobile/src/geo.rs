//! Places: distances, and the cells by which what lies near is looked up. WGS 84; a sphere is exact enough for a few hundred metres.

/// Side of a cell, in millionths of a degree: 222 metres from south to north.
const CELL: i64 = 2_000;

/// Side of an area, likewise: 2.2 kilometres.
const AREA: i64 = 20_000;

/// Most cells or areas that are looked up.
const SQUARES: usize = 100;

/// Metres of a degree of latitude.
const DEGREE: f64 = 111_320.0;

/// A point in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) latitude: i32,
    pub(crate) longitude: i32,
}

impl Point {
    /// Decimal degrees, as apps write them; `None` beyond what is on earth.
    pub(crate) fn parse(latitude: &str, longitude: &str) -> Option<Point> {
        Some(Point { latitude: micro(latitude, 90.0)?, longitude: micro(longitude, 180.0)? })
    }

    /// Metres from here to there.
    pub(crate) fn metres_to(self, other: Point) -> f64 {
        let north = (f64::from(other.latitude) - f64::from(self.latitude)) / 1e6 * DEGREE;
        let east = (f64::from(other.longitude) - f64::from(self.longitude)) / 1e6 * DEGREE * self.shrink();
        north.hypot(east)
    }

    /// The name of the cell that it lies in.
    pub(crate) fn cell(self) -> String {
        self.square(CELL)
    }

    /// The name of the area that it lies in.
    pub(crate) fn area(self) -> String {
        self.square(AREA)
    }

    /// The cells that lie within so many metres, at most [`SQUARES`].
    pub(crate) fn cells_within(self, metres: u32) -> Vec<String> {
        self.squares_within(CELL, metres)
    }

    /// The areas that lie within so many metres, unless they are [`SQUARES`] or more.
    pub(crate) fn areas_within(self, metres: u32) -> Option<Vec<String>> {
        let areas = self.squares_within(AREA, metres);
        (areas.len() < SQUARES).then_some(areas)
    }

    fn square(self, side: i64) -> String {
        let (north, east) = (i64::from(self.latitude), i64::from(self.longitude));
        format!("{}/{}", north.div_euclid(side), east.div_euclid(side))
    }

    fn squares_within(self, side: i64, metres: u32) -> Vec<String> {
        let north = f64::from(metres) / DEGREE * 1e6;
        let east = north / self.shrink();
        let corner = |sign: f64| {
            let shifted = |value: i32, by: f64| (f64::from(value) + sign * by).floor() as i64;
            (shifted(self.latitude, north).div_euclid(side), shifted(self.longitude, east).div_euclid(side))
        };
        let ((south, west), (north, east)) = (corner(-1.0), corner(1.0));
        let rows = (south..=north).flat_map(|row| (west..=east).map(move |column| format!("{row}/{column}")));
        rows.take(SQUARES).collect()
    }

    /// How much shorter a degree of longitude is here than at the equator.
    fn shrink(self) -> f64 {
        (f64::from(self.latitude) / 1e6).to_radians().cos().max(0.01)
    }
}

/// Decimal degrees without needless zeros.
pub(crate) fn degrees(micro: i32) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let (whole, rest) = (micro.unsigned_abs() / 1_000_000, micro.unsigned_abs() % 1_000_000);
    let text = format!("{sign}{whole}.{rest:06}");
    let short = text.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}

fn micro(text: &str, most: f64) -> Option<i32> {
    let text = text.trim();
    let is_plain = text.len() <= 40 && text.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    let degrees: f64 = if is_plain { text.parse().ok()? } else { return None };
    let is_on_earth = degrees.is_finite() && degrees.abs() <= most;
    is_on_earth.then(|| (degrees * 1e6).round() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_read_and_written_alike() {
        for (text, written) in [("51.571388", "51.571388"), ("-0.5", "-0.5"), ("8", "8"), ("+8.10", "8.1")] {
            assert_eq!(degrees(Point::parse("0", text).unwrap().longitude), written);
        }
        for wrong in ["", "91", "NaN", "1e1", "inf", "5,1", "0x1"] {
            assert_eq!(Point::parse(wrong, "8"), None, "{wrong}");
        }
    }

    #[test]
    fn whatever_lies_near_lies_in_one_of_the_cells() {
        let here = Point::parse("51.5719999", "8.1060001").unwrap();
        for (north, east) in [(300, 0), (-300, 0), (0, 500), (0, -500), (250, 250), (-250, -250)] {
            let there = Point { latitude: here.latitude + north, longitude: here.longitude + east };
            assert!(here.metres_to(there) < 50.0);
            assert!(here.cells_within(50).contains(&there.cell()), "{north} {east}");
        }
        let far = Point::parse("51.58", "8.106").unwrap();
        assert!((here.metres_to(far) - 890.0).abs() < 5.0);
        assert!(here.cells_within(50).len() <= 4);
    }

    #[test]
    fn six_kilometres_around_any_place_of_germany_are_few_enough_areas() {
        for latitude in ["47.27", "50.5", "51.579999", "53.5", "55.06"] {
            let here = Point::parse(latitude, "8.1199999").unwrap();
            let areas = here.areas_within(6_000).unwrap();
            assert!(areas.contains(&here.area()) && areas.len() <= 80, "{latitude}: {}", areas.len());
        }
        assert_eq!(Point::parse("51.5", "8.1").unwrap().areas_within(20_000), None);
    }

    #[test]
    fn cells_of_the_south_and_west_are_cells_too() {
        let here = Point::parse("-0.0000001", "-0.0001").unwrap();
        assert!(here.cells_within(30).contains(&here.cell()));
        assert!(Point::parse("90", "180").unwrap().cells_within(1_000).len() <= 100);
    }
}
