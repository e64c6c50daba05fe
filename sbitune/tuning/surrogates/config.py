"""The section of a card that describes the surrogate; `kind` chooses the method."""

from typing import TYPE_CHECKING, Union

from sbitune.tuning.surrogates.choice.config import AutoConfig
from sbitune.tuning.surrogates.kindconfig import KindConfig
from sbitune.tuning.surrogates.registry import built_in_configs

#: how a card names what is to be trained: one name for each kind that comes with sbitune, and the choice among them
CONFIGS: dict[str, type[KindConfig]] = {config().kind: config for config in built_in_configs()}

if TYPE_CHECKING:
    SurrogateConfig = KindConfig | AutoConfig
else:
    SurrogateConfig = Union[(*CONFIGS.values(), AutoConfig)]
