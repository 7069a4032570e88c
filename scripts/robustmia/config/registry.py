"""The lists that a newcomer extends: each addition is one new module and one line here (docs/how-to/extending.md).

Jobs do not import this module, so that a new line reruns nothing that was there before.
"""

from __future__ import annotations

from pkgutil import resolve_name

from robustmia.errors import UserError, first_line

METHODS = {
    "natural": "robustmia.methods.natural:Natural",
    "pgd": "robustmia.methods.pgd:PGD",
    "distributional": "robustmia.methods.distributional:Distributional",
    "trades": "robustmia.methods.trades:TRADES",
    "duality": "robustmia.methods.duality:Duality",
    "abstract_interpretation": "robustmia.methods.abstract_interpretation:AbstractInterpretation",
    "ibp": "robustmia.methods.ibp:IBP",
}

SOURCES = {
    "digits": "robustmia.data.digits:Digits",
    "fashion_mnist": "robustmia.data.fashion_mnist:FashionMNIST",
    "cifar10": "robustmia.data.cifar10:CIFAR10",
    "yale": "robustmia.data.yale:Yale",
    "image_folder": "robustmia.data.image_folder:ImageFolder",
}

NETWORKS = {
    "small_cnn": "robustmia.models.networks.small_cnn:SmallCNN",
    "yale_net": "robustmia.models.networks.yale_net:YaleNet",
    "fashion_mnist_net": "robustmia.models.networks.fashion_mnist_net:FashionMNISTNet",
    "wide_resnet": "robustmia.models.networks.wide_resnet:WideResNet",
}

OPTIMIZERS = {
    "sgd": "robustmia.training.optimizers:SGD",
    "adam": "robustmia.training.optimizers:Adam",
}

SCHEDULES = {
    "constant": "robustmia.training.schedules:Constant",
    "piecewise": "robustmia.training.schedules:Piecewise",
    "cosine": "robustmia.training.schedules:Cosine",
    "one_cycle": "robustmia.training.schedules:OneCycle",
}

SIGNALS = {
    "benign": "robustmia.signals.benign:Benign",
    "adversarial": "robustmia.signals.adversarial:Adversarial",
    "targeted": "robustmia.signals.targeted:Targeted",
    "verified": "robustmia.signals.verified:Verified",
}

STRATEGIES = {
    "I_B": "robustmia.inference.attacks.paper_attacks:IB",
    "I_A": "robustmia.inference.attacks.paper_attacks:IA",
    "I_V": "robustmia.inference.attacks.paper_attacks:IV",
    "I_V_own": "robustmia.inference.attacks.paper_attacks:IVOwn",
    "mean_log_odds": "robustmia.inference.attacks.paper_attacks:MeanLogOdds",
    "log_odds": "robustmia.inference.attacks.score_attacks:LogOdds",
    "modified_entropy": "robustmia.inference.attacks.score_attacks:ModifiedEntropy",
    "lira_online": "robustmia.inference.attacks.lira:LiRAOnline",
    "lira_offline": "robustmia.inference.attacks.lira:LiRAOffline",
    "rmia_online": "robustmia.inference.attacks.rmia:RMIAOnline",
    "privacy_risk": "robustmia.inference.attacks.privacy_risk:PrivacyRisk",
    "rmia_offline": "robustmia.inference.attacks.rmia:RMIAOffline",
    "I_T": "robustmia.inference.attacks.attack_classifier:IT",
    "I_T_shadow": "robustmia.inference.attacks.attack_classifier:ITShadow",
    "correctness": "robustmia.inference.attacks.score_attacks:Correctness",
    "joint": "robustmia.inference.attacks.joint:Joint",
}

COLUMNS = {
    "accuracy": "robustmia.inference.columns:accuracy",
    "area": "robustmia.inference.columns:area",
    "low_false_positive_rates": "robustmia.inference.columns:low_false_positive_rates",
    "counts": "robustmia.inference.columns:counts",
}

FIGURES = {
    "trade_off": "robustmia.reporting.figures.trade_off:TradeOff",
    "inference_accuracy": "robustmia.reporting.figures.inference_accuracy:InferenceAccuracy",
    "accuracies": "robustmia.reporting.figures.accuracies:Accuracies",
    "roc": "robustmia.reporting.figures.roc:ROC",
    "loss_distribution": "robustmia.reporting.figures.loss_distribution:LossDistribution",
    "margin_distribution": "robustmia.reporting.figures.margin_distribution:MarginDistribution",
    "leakage_and_gap": "robustmia.reporting.figures.leakage_and_gap:LeakageAndGap",
    "training_curves": "robustmia.reporting.figures.training_curves:TrainingCurves",
    "published": "robustmia.reporting.figures.published:Published",
    "examples": "robustmia.reporting.figures.examples:Examples",
    "attack_auc": "robustmia.reporting.figures.attack_auc:AttackAUC",
    "most_at_risk": "robustmia.reporting.figures.most_at_risk:MostAtRisk",
    "risk_agreement": "robustmia.reporting.figures.risk_agreement:RiskAgreement",
}

STUDIES = {
    "sweep": "robustmia.studies.settings:Sweep",
    "transfer": "robustmia.studies.settings:Transfer",
    "outputs": "robustmia.studies.settings:Outputs",
    "sensitivity": "robustmia.studies.settings:Sensitivity",
}


def classes(registry: dict[str, str]) -> tuple[type, ...]:
    """The classes that a registry lists, in its order.

    Raises:
        UserError: there is no such class.
    """
    return tuple(_found(name, path) for name, path in registry.items())


def _found(name: str, path: str) -> type:
    try:
        return resolve_name(path)
    except (AttributeError, ModuleNotFoundError, ValueError) as error:
        raise UserError(
            f'config/registry.py: "{name}": "{path}" is not there ({first_line(error)}); correct the line'
        ) from error
