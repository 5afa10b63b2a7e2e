"""Under MicroPython: run the functions `test_*` of one module that are named, and print one line for each."""

import gc
import sys


def main(module_name, names):
    module = __import__(module_name)
    failed = 0
    for name in names:
        gc.collect()
        try:
            getattr(module, name)()
        except Exception as error:
            failed += 1
            print("FAILED", name)
            sys.print_exception(error)
        else:
            print("PASSED", name)
    return failed


sys.exit(main(sys.argv[1], sys.argv[2:]))
