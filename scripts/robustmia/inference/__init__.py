"""From signals to membership inference results: scores, attacks, threshold rules, metrics, comparisons."""
