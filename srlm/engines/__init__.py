"""Inference backends. `engine` is their protocol, `open` opens one by its specification such as "openai:NAME".

Local: `hf` (transformers) with `decoding`, `shared_prefix`, `top_p`, `batch_size`, `prepacked_linear`; `vllm` with
`vllm_arguments`, `reaper`. Checkpoints: `load`, `load_errors`, `weight_checks`, `fingerprint`, `architectures`. Chat
templates: `chat_template`, `template_parts`, `template_trial`, `reasoning`.

Servers: `openai`, `anthropic`, `vllm_server`, all on `remote`, which sends calls through `request_pool`; with
`client_config`, `budget`, `capabilities`, `completions`, `http_body`, `api_errors`, `remote_messages`,
`server_messages`, `server_address`.
"""
