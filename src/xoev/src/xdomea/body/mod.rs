//! What messages say beside records: results of an import (0402, 0506, 0514), appraisals (0502, 0513), the route of a
//! circulation (0201), a file plan (0301, 0511). Written and read in the form of 3.1.0.

pub(crate) mod appraisals;
pub(crate) mod file_plan;
pub(crate) mod results;
pub(crate) mod route;
