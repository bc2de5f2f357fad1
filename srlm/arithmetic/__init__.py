"""Arithmetic word problems of two or three steps, made of templates, with whole numbers as answers."""
