"""HTML report: one self-contained page of a run, `page.write_report`, or of other tools' files, `files_page`.

page.py         the page: sections in their order, the template, the packed samples
files_page.py   the page of files of results
section.py      records of a section: conclusions, figures, and tables whose cells link to samples
sections/       one module for each part of the page, common.py for what the sections of suites share
charts/         one module for each kind of figure, svg.py for their common style
samples/        prompts with their answers and judgements; pack.py compresses them into the page
page.html, page.css, page.js
"""
