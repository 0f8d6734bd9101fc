/*
 * The four lines of a process's life by snprintf, as often as the first argument
 * says, written to the file that the second argument names. Prints how many
 * nanoseconds one life takes: what formatting costs a program that does nothing
 * else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
    static const char name[] = "\\??\\C:\\Windows\\System32\\notepad.exe";
    static const char command_line[] = "\"C:\\Windows\\System32\\notepad.exe\" C:\\temp\\a.txt";
    unsigned long long lives = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    FILE *output = lives != 0 ? fopen(argv[2], "w") : NULL;
    long long start;

    if (output == NULL) {
        fprintf(stderr, "usage: %s LIVES FILE\n", argv[0]);
        return 2;
    }
    start = nanoseconds();
    for (unsigned long long life = 0; life < lives; life++) {
        unsigned long long pid = 0x1000 + 4 * (life & 0xfff);
        char line[512];
        int length;

        length = snprintf(line, sizeof(line),
                          "[Create] [PID = 0x%llx, Name=%s] [CurrentPID = 0x%llx] [PPID = 0x%llx]\n",
                          pid, name, 0x2f8ULL, 0x2f8ULL);
        fwrite(line, 1, (size_t)length, output);
        length = snprintf(line, sizeof(line),
                          "[Detail 0x%llx] %s [Creator = 0x%llx.0x%llx] [Session = %u]%s%s\n", pid,
                          "64bit", 0x2f8ULL, 0x2fcULL, 1U, "", "");
        fwrite(line, 1, (size_t)length, output);
        length = snprintf(line, sizeof(line), "[CommandLine 0x%llx] %s\n", pid, command_line);
        fwrite(line, 1, (size_t)length, output);
        length = snprintf(line, sizeof(line),
                          "[Destroy] [PID = 0x%llx] [CurrentPID = 0x%llx] [ExitStatus = 0x%x] "
                          "[Lifetime = %llu ms]\n",
                          pid, pid, 0U, life & 0xfff);
        fwrite(line, 1, (size_t)length, output);
    }
    if (fclose(output) != 0) {
        perror(argv[2]);
        return 1;
    }
    printf("%.1f\n", (double)(nanoseconds() - start) / (double)lives);
    return 0;
}
