//! What many measurements say together.

/// A straight line through points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// What one more of `x` adds to `y`.
    pub slope: f64,
    /// How much of what `y` varies the line explains, at most 1.
    pub r_squared: f64,
}

impl Line {
    /// The line with the least squares of distances from `points`; none where
    /// they do not lie at two or more places.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let mean = |value: &dyn Fn(&(f64, f64)) -> f64| {
            let (count, sum) = points.iter().fold((0.0, 0.0), |(count, sum), point| {
                (count + 1.0, sum + value(point))
            });
            sum / count
        };
        let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
        let x_squares = mean(&|point| (point.0 - x).powi(2));
        let y_squares = mean(&|point| (point.1 - y).powi(2));
        let products = mean(&|point| (point.0 - x) * (point.1 - y));
        (x_squares > 0.0).then(|| Self {
            slope: products / x_squares,
            r_squared: if y_squares == 0.0 {
                1.0
            } else {
                products.powi(2) / (x_squares * y_squares)
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-9
    }

    #[test]
    fn points_on_a_line_give_that_line() {
        let line = Line::fit(&[0.0, 1.0, 7.0].map(|x| (x, 3.0 * x + 50.0))).unwrap();
        assert!(is(line.slope, 3.0) && is(line.r_squared, 1.0), "{line:?}");
    }

    #[test]
    fn points_beside_a_line_are_told_from_points_on_it() {
        let line = Line::fit(&[(0.0, 1.0 / 3.0), (1.0, 7.0 / 3.0), (2.0, 1.0 / 3.0)]).unwrap();
        assert!(is(line.slope, 0.0) && is(line.r_squared, 0.0), "{line:?}");
        let line = Line::fit(&[(0.0, 0.0), (1.0, 3.0), (2.0, 3.0)]).unwrap();
        assert!(is(line.slope, 1.5) && is(line.r_squared, 0.75), "{line:?}");
    }

    #[test]
    fn one_place_gives_no_line() {
        assert_eq!(Line::fit(&[]), None);
        assert_eq!(Line::fit(&[(1.0, 2.0), (1.0, 3.0)]), None);
    }
}
