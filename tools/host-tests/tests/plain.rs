//! The fast search for ordinary text finds what a slow one finds.

use host_tests::plain::plain_prefix;
use proptest::prelude::*;
use proptest::sample::select;

/// Unit by unit, as the documentation says it.
fn expected(text: &[u16]) -> usize {
    let stands_for_itself = |index: usize| {
        let escape = text[index..].starts_with(&[u16::from(b'\\'), u16::from(b'u')]);
        matches!(text[index], 0x20..0x7f) && !escape
    };
    (0..text.len())
        .find(|&index| !stands_for_itself(index))
        .unwrap_or(text.len())
}

/// The units at the borders of every range that the search tells apart.
const BORDERS: [u16; 16] = [
    0, 0x1f, 0x20, 0x21, 0x5b, 0x5c, 0x5d, 0x74, 0x75, 0x76, 0x7e, 0x7f, 0x80, 0xff, 0x8020, 0xffff,
];

#[test]
fn every_place_is_looked_at() {
    for length in 0..=200 {
        let plain = vec![u16::from(b'a'); length];
        assert_eq!(plain_prefix(&plain), length);
        for place in 0..length {
            for unit in BORDERS {
                let mut text = plain.clone();
                text[place] = unit;
                assert_eq!(plain_prefix(&text), expected(&text), "{unit:#x} at {place}");
                if let Some(after) = text.get_mut(place + 1) {
                    *after = u16::from(b'u');
                    assert_eq!(
                        plain_prefix(&text),
                        expected(&text),
                        "{unit:#x}, u at {place}"
                    );
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text(text in prop::collection::vec(
        prop_oneof![8 => 0x20_u16..0x7f, 1 => Just(u16::from(b'\\')), 1 => Just(u16::from(b'u'))],
        0..300,
    ), odd in prop::option::of((any::<prop::sample::Index>(), select(&BORDERS[..])))) {
        let mut text = text;
        if let (Some((place, unit)), false) = (odd, text.is_empty()) {
            let place = place.index(text.len());
            text[place] = unit;
        }
        prop_assert_eq!(plain_prefix(&text), expected(&text));
    }
}
