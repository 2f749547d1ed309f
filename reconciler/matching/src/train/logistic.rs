//! Logistic regression with an offset and a Gaussian prior on each coefficient.

/// A case: its features and its outcome.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The offset: the log odds without any correction, in nats.
    pub(super) known: f64,
    /// The non-zero features, by number.
    pub(super) features: Vec<(usize, f64)>,
    /// The outcome.
    pub(super) holds: bool,
}

impl Row {
    fn odds(&self, coefficients: &[f64]) -> f64 {
        let terms = self.features.iter();
        self.known
            + terms
                .map(|(at, value)| coefficients[*at] * value)
                .sum::<f64>()
    }

    /// The log probability of the outcome, in nats.
    pub(super) fn likelihood(&self, coefficients: &[f64]) -> f64 {
        let odds = self.odds(coefficients);
        let against = if self.holds { -odds } else { odds };
        -(against.max(0.0) + (-against.abs()).exp().ln_1p())
    }
}

const ROUNDS: usize = 30;

/// The maximum a posteriori coefficients, given their prior standard deviations, by Newton's method; each
/// step is halved until it improves the fit.
pub(super) fn fit(rows: &[&Row], deviations: &[f64]) -> Vec<f64> {
    let held: Vec<f64> = deviations.iter().map(|sd| sd.powi(-2)).collect();
    let value = |coefficients: &[f64]| {
        let penalties = coefficients
            .iter()
            .zip(&held)
            .map(|(b, held)| held * b * b / 2.0);
        let likelihood: f64 = rows.iter().map(|row| row.likelihood(coefficients)).sum();
        likelihood - penalties.sum::<f64>()
    };
    let mut coefficients = vec![0.0; held.len()];
    let mut best = value(&coefficients);
    for _ in 0..ROUNDS {
        let step = newton(rows, &held, &coefficients);
        let moved = |share: f64| -> Vec<f64> {
            let pairs = coefficients.iter().zip(&step);
            pairs.map(|(b, step)| b + share * step).collect()
        };
        let shares = [1.0, 0.5, 0.25, 0.125, 0.0625];
        let better = shares.into_iter().find_map(|share| {
            let next = moved(share);
            let found = value(&next);
            (found > best).then_some((next, found))
        });
        let Some((next, found)) = better else { break };
        let gain = found - best;
        (coefficients, best) = (next, found);
        if gain < 1e-9 {
            break;
        }
    }
    coefficients
}

/// The Newton step: to the maximum of the quadratic approximation.
fn newton(rows: &[&Row], held: &[f64], coefficients: &[f64]) -> Vec<f64> {
    let width = held.len();
    let mut slopes: Vec<f64> = coefficients
        .iter()
        .zip(held)
        .map(|(b, held)| -held * b)
        .collect();
    let mut bends = vec![vec![0.0; width]; width];
    for (at, held) in held.iter().enumerate() {
        bends[at][at] = *held;
    }
    for row in rows {
        let probability = 1.0 / (1.0 + (-row.odds(coefficients)).exp());
        let error = f64::from(u8::from(row.holds)) - probability;
        let weight = probability * (1.0 - probability);
        for (at, value) in &row.features {
            slopes[*at] += error * value;
            for (other, there) in &row.features {
                bends[*at][*other] += weight * value * there;
            }
        }
    }
    solved(bends, slopes)
}

/// Solves a linear system with a symmetric positive definite matrix, by Cholesky decomposition.
fn solved(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let width = right.len();
    for at in 0..width {
        for other in 0..=at {
            let done: f64 = (0..other).map(|k| matrix[at][k] * matrix[other][k]).sum();
            let rest = matrix[at][other] - done;
            matrix[at][other] = if at == other {
                rest.max(1e-12).sqrt()
            } else {
                rest / matrix[other][other]
            };
        }
    }
    for at in 0..width {
        let done: f64 = (0..at).map(|k| matrix[at][k] * right[k]).sum();
        right[at] = (right[at] - done) / matrix[at][at];
    }
    for at in (0..width).rev() {
        let done: f64 = (at + 1..width).map(|k| matrix[k][at] * right[k]).sum();
        right[at] = (right[at] - done) / matrix[at][at];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, share: impl Fn(usize) -> bool) -> Vec<Row> {
        let row = |number: usize| Row {
            known: 0.0,
            features: vec![(number % 2, 1.0)],
            holds: share(number),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn many_cases_outweigh_the_prior_and_few_do_not() {
        // Nine of ten cases of the first feature hold, and half of the second's.
        let share = |number: usize| match number % 2 {
            0 => !(number / 2).is_multiple_of(10),
            _ => (number / 2).is_multiple_of(2),
        };
        let fitted = |count: usize| {
            let rows = rows(count, share);
            fit(&rows.iter().collect::<Vec<_>>(), &[0.5, 0.5])
        };
        let (few, many) = (fitted(20), fitted(20_000));
        assert!((many[0] - 9_f64.ln()).abs() < 0.02, "{many:?}");
        assert!(many[1].abs() < 0.02, "{many:?}");
        assert!(few[0] > 0.0 && few[0] < 1.0, "{few:?}");
    }

    #[test]
    fn what_is_known_already_moves_nothing() {
        let mut rows = rows(4000, |number| !(number / 2).is_multiple_of(4));
        rows.iter_mut().for_each(|row| row.known = 3_f64.ln());
        let found = fit(&rows.iter().collect::<Vec<_>>(), &[0.5, 0.5]);
        assert!(found.iter().all(|b| b.abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn cases_that_are_parted_without_exception_stay_bounded() {
        let rows = rows(2000, |number| number % 2 == 0);
        let found = fit(&rows.iter().collect::<Vec<_>>(), &[0.5, 0.5]);
        assert!(found[0] > 1.0 && found[0] < 6.0, "{found:?}");
        assert!(found[1] < -1.0 && found[1] > -6.0, "{found:?}");
    }
}
