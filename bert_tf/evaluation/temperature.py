"""Temperature scaling: one number that makes a classifier's probabilities as sure as they are right."""

import numpy as np

# N examples, C classes


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The temperature T with the least cross-entropy of softmax(log p / T) (Guo et al. 2017, section 4.2).

    Args:
        probabilities: of the classes, float [N, C].
        targets: int [N].

    Returns:
        T, from 0.05 to 20; above 1 the model is too sure.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = at_temperature(probabilities, float(np.exp(log_temperature)))  # [N, C]
        return -float(np.log(np.maximum(scaled[np.arange(len(targets)), targets], 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities [N, C] as the softmax gives them for logits divided by the temperature."""
    logits = np.log(np.maximum(probabilities, 1e-12)) / temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
