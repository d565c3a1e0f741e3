"""Words that hold a sentence together, and those that turn its meaning round: no other word can stand for them."""

_ENGLISH = """
a an the this that these those some any each every all both few more most other such own same
i me my mine myself you your yours he him his himself she her hers herself it its itself we us our ours they them their
who whom whose which what where when why how
is am are was were be been being do does did doing have has had having can could will would shall should may might must
and or but if because as until while of at by for with about against between into through during before after above
below to from up down in out on off over under again further then once here there than so too very just only
no not nor never neither none nobody nothing nowhere although though however yet without hardly barely scarcely
ain isn aren wasn weren don doesn
didn hasn haven hadn won wouldn shouldn couldn mustn can't cannot n't s t d ll m re ve
"""
_CHINESE = (
    "的了在是我你他她它们这那有和与及或而但就也都还又再把被让给对从到向于以为因所之其此些个着过"
    "吗呢吧啊呀嘛哦不没无非未莫别"
)

FUNCTION_WORDS = frozenset(_ENGLISH.split()) | frozenset(_CHINESE)
