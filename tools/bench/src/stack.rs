//! How much of the kernel's stack each driver uses at most.

use crate::event::{Life, PID, utf16};
use crate::figure::Figure;
use crate::null_kernel::{self, Driver};
use crate::painted;
use crate::text::Kind;
use crate::{Drivers, count_to_f64};

/// Texts that take one line, and several.
const LENGTHS: [usize; 3] = [40, 500, 32_767];

/// The stack of each driver.
pub fn figures(drivers: &Drivers) -> Vec<Figure> {
    drivers
        .all()
        .map(|(name, driver)| {
            let deepest =
                count_to_f64(deepest(driver).max(null_kernel::listening(|| deepest(driver))));
            Figure::new(format!("{name}: stack"), deepest, "bytes")
        })
        .collect()
}

/// Of names and command lines of all kinds and of several lengths.
fn deepest(driver: &Driver) -> u64 {
    let depths = Kind::ALL.into_iter().flat_map(|kind| {
        LENGTHS.into_iter().flat_map(move |length| {
            let text = kind.text(length);
            let named = Life::new(PID, &text, None);
            let commanded = Life::new(PID, &utf16("x"), Some(&text));
            [named.creation(), commanded.creation(), named.exit()]
                .map(|arguments| painted::depth(driver, arguments))
        })
    });
    depths.max().unwrap_or_default()
}
