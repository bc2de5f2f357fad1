"""Chat templates in the style of well-known models."""

from helpers.tiny_models import STYLES

CHATML = STYLES["chatml"][0]

TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"

BEGINS = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

# As Qwen 3 does it: the model writes its thoughts itself, an answer without any gets an empty block.
HYBRID = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>"
    "\n\n{{ m.content.split('</think>')[-1].lstrip('\n') }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)

# As DeepSeek-R1 does it: the prompt opens the thought, and past thoughts are dropped.
OPENING = (
    "{% for m in messages %}{% if m.role == 'user' %}<|user|>{{ m.content }}{% else %}<|assistant|>"
    "{{ m.content.split('</think>')[-1] }}<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)

# As Qwen 3's thinking version does it: both.
ALWAYS = HYBRID.split("{% if enable", maxsplit=1)[0] + "<think>\n{% endif %}"

SEED = OPENING.replace("<think>", "<seed:think>")

MAGISTRAL = OPENING.replace("<think>\n", "[THINK]")

HARMONY = (
    "{% for m in messages %}<|start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final{% endif %}<|message|>"
    "{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)

# Of SmolLM3: a message can turn thinking off.
SWITCH = TURNS + (
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if '/no_think' in messages[0].content %}<think>\n\n</think>\n{% endif %}{% endif %}"
)
