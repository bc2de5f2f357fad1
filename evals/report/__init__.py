"""One page of a run: `page.write_report` gathers sections, figures and samples and puts them into one HTML file.

page.py          the page: sections in their order, the template, the packed samples
section.py       what a section is made of: words, figures, tables whose cells lead to samples
overview.py      what the run is, what is certain, the judge's card, cost and time
suites.py        a section for each suite; compared.py what they share; pairs.py, rates.py, abilities.py draw them
iterations.py    the monitor: what each iteration learned from
cloud.py         instructions and answers in two dimensions
sample.py        a prompt with all answers to it and what was said of them; how they are packed
judged.py        the samples of the suites; items.py those of lm-eval's tasks; learned.py those of the training
order.py         the order of models
plot.py          how a figure looks; bars.py, dots.py, lines.py, radar.py, scatter.py: one kind of figure each
page.html, page.css, page.js
"""
