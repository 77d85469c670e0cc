// tests/storage/log_recovery_test.cpp — what is recovered is on the disk, whatever the system keeps in memory.
#include "kith/storage/log_reader.hpp"
#include "kith/storage/log_writer.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

using kith::Errc;
using kith::detail::CollectionId;
using kith::detail::LogWriter;
using kith::detail::ReplayMode;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

constexpr CollectionId id{1, 2, 3};

std::size_t records_in(const std::filesystem::path& log, ReplayMode mode) {
    std::size_t count = 0;
    const auto visit = [&](std::uint64_t, std::uint8_t, std::string_view) { ++count; };
    kith::detail::replay_log(log, id, 0, visit, mode);
    return count;
}

}  // namespace

TEST_CASE(
    "Recovery shows nothing of the log before its last file is surely on the disk; who only reads syncs nothing") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        for (int i = 0; i < 5; ++i) writer.append(7, "record");
        writer.sync();
    }
    {
        const FileFaults broken(FileCall::sync, 1, EIO);
        bool shown = false;
        const auto visit = [&](std::uint64_t, std::uint8_t, std::string_view) { shown = true; };
        const kith_test::Raised refused =
            raised([&] { kith::detail::replay_log(log.path(), id, 0, visit, ReplayMode::recover); });
        CHECK(refused.code == Errc::io);
        CHECK_FALSE(shown);
    }
    {
        const FileFaults broken(FileCall::sync, 1, EIO, FileFaults::every_later_one);
        CHECK(records_in(log.path(), ReplayMode::read_only) == 5);
    }
    CHECK(records_in(log.path(), ReplayMode::recover) == 5);
}
