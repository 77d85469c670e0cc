// tests/support/file_faults.hpp — disks that fail on demand: the nth write, sync, truncate or rename.
//
// The system calls are replaced in the test program itself, so the library needs no hook and LMDB is reached too.
// On Linux only; elsewhere `work` is false and a test that needs them has nothing to say.
//
// Thread safety: one FileFaults of a kind at a time, and those that live together end together; the calls may come from
// any thread.
#pragma once

#include <cstdint>

namespace kith_test {

enum class FileCall : std::uint8_t { write, sync, truncate, rename };

class FileFaults {
public:
    static constexpr int every_later_one = 1 << 30;

    /// While it lives, calls number `first` (from 1) to `first + count - 1` of their kind fail with errno `error`.
    FileFaults(FileCall call, int first, int error, int count = 1);

    /// While it lives, each write takes at most `bytes` bytes, and every second one is interrupted first.
    static FileFaults short_writes(std::uint64_t bytes);

    /// While it lives, syncs succeed at once and do nothing: for tests that stop no machine.
    static FileFaults no_syncs();

    FileFaults(const FileFaults&) = delete;
    FileFaults& operator=(const FileFaults&) = delete;
    ~FileFaults();

    /// How many calls of a kind came since a FileFaults for it was made.
    [[nodiscard]] static int calls(FileCall call);

    [[nodiscard]] static bool work();

private:
    FileFaults() = default;
};

}  // namespace kith_test
