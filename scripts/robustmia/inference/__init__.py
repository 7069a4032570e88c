"""From signals to membership inference results: scores, threshold rules, metrics, strategies."""
