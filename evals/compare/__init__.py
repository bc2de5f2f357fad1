"""Compare the results of several models: tables, paired tests, conclusions, exports."""
