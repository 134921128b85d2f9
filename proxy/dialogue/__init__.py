"""What callers are asked, what their answers mean, and what is remembered of a call between two questions."""

from proxy.dialogue.memory import Known, Memory, Progress
from proxy.dialogue.steps import Answer, Choose, Keep, Keys, LookUp, Recording, Speech, Step, Then, Words

__all__ = [
    "Answer",
    "Choose",
    "Keep",
    "Keys",
    "Known",
    "LookUp",
    "Memory",
    "Progress",
    "Recording",
    "Speech",
    "Step",
    "Then",
    "Words",
]
