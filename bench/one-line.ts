// The rival of start-up times: a zx script that prints one line.
process.stdout.write('hello\n')
