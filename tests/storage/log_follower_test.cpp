// tests/storage/log_follower_test.cpp — a reader beside the writer gets each record once, whole, in order.
#include "kith/storage/log_follower.hpp"
#include "kith/core/random.hpp"
#include "kith/storage/log_writer.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/other_process.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <sys/mman.h>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

using kith::Errc;
using kith::detail::CollectionId;
using kith::detail::Followed;
using kith::detail::log_file_name;
using kith::detail::LogFollower;
using kith::detail::LogWriter;
using kith::detail::ReplayMode;
using kith_test::bytes_of;
using kith_test::FileFaults;
using kith_test::flipped;
using kith_test::OtherProcess;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

constexpr CollectionId id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

std::string payload_of(std::uint64_t sequence) {
    return std::string(sequence * sequence % 700, static_cast<char>('a' + sequence % 26)) + std::to_string(sequence);
}

void remove_before(LogWriter& writer, std::uint64_t sequence) {
    for (const fs::path& file : writer.release_files_before(sequence)) fs::remove(file);
}

/// A follower and what it has seen since it was asked last.
struct Reader {
    explicit Reader(const fs::path& log, std::uint64_t after = 0) : follower(log, id, after) {}

    std::vector<std::string> news() {
        std::vector<std::string> seen;
        std::uint64_t before = follower.last_sequence();
        outcome = follower.follow([&](std::uint64_t sequence, std::uint8_t, std::string_view payload) {
            REQUIRE(sequence == ++before);
            seen.emplace_back(payload);
        });
        return seen;
    }

    LogFollower follower;
    Followed outcome = Followed::up_to_date;
};

using Strings = std::vector<std::string>;

/// Writes `count` records, syncs, rotates and checkpoints as chance has it; `applied` is what a state record would hold.
void write_much(const fs::path& log, std::uint64_t count, std::uint64_t seed, std::atomic<std::uint64_t>& applied) {
    const FileFaults quick = FileFaults::no_syncs();
    kith::SplitMix64 random(seed);
    LogWriter writer(log, id, 1);
    for (std::uint64_t sequence = 1; sequence <= count; ++sequence) {
        writer.append(7, payload_of(sequence));
        if (random() % 3 == 0) writer.sync();
        if (random() % 9 == 0) writer.rotate();
        if (random() % 20 == 0) {
            applied = sequence;
            writer.rotate();
            remove_before(writer, sequence + 1);
        }
    }
}

/// Follows until record `count`, as a reader process does: behind, it begins again from the state record.
void follow_all(const fs::path& log, std::uint64_t count, const std::atomic<std::uint64_t>& applied) {
    LogFollower follower(log, id, 0);
    while (follower.last_sequence() < count) {
        std::uint64_t before = follower.last_sequence();
        const Followed followed =
            follower.follow([&](std::uint64_t sequence, std::uint8_t kind, std::string_view payload) {
                REQUIRE(sequence == ++before);
                REQUIRE(kind == 7);
                REQUIRE(payload == payload_of(sequence));
            });
        REQUIRE(follower.last_sequence() == before);
        if (followed == Followed::up_to_date) continue;
        const std::uint64_t state = applied;
        REQUIRE(state > before);  // nothing is removed that no state record holds
        follower = LogFollower(log, id, state);
    }
}

}  // namespace

TEST_CASE("A follower gives what was appended since it was asked last, over files and restarts") {
    const TemporaryDirectory log;
    Reader early(log.path());
    CHECK(early.news().empty());
    CHECK(early.outcome == Followed::behind);  // there is no log at all
    CHECK(raised([&] { early.follower.raise_missing(); }).says("the log is missing"));
    {
        LogWriter writer(log.path(), id, 1);
        Reader reader(log.path());
        CHECK(reader.news().empty());
        CHECK(reader.outcome == Followed::up_to_date);
        writer.append(7, "one");
        CHECK(reader.news() == Strings{"one"});
        CHECK(reader.news().empty());
        writer.append(7, "two");
        writer.append(7, "");
        writer.rotate();
        CHECK(reader.news() == Strings{"two", ""});
        writer.append(7, "four");
        writer.rotate();
        writer.append(7, "five");
        writer.rotate();
        writer.rotate();
        CHECK(reader.news() == Strings{"four", "five"});
        CHECK(reader.follower.last_sequence() == 5);
    }
    Reader reader(log.path(), 2);
    CHECK(reader.news() == Strings{"", "four", "five"});
    LogWriter next(log.path(), id, 6);
    next.append(7, "six");
    CHECK(reader.news() == Strings{"six"});
    CHECK(early.news().size() == 6);
    CHECK_FALSE(reader.follower.tail().has_value());
}

TEST_CASE("A log that grows byte by byte gives each record with its last byte, and none before") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory source;
    const Strings payloads{"one", std::string(40, 't'), "", std::string("f\0ur", 4), "the fifth record"};
    std::vector<std::uint64_t> ends{kith::detail::log_header_bytes};
    {
        LogWriter writer(source.path(), id, 1);
        for (const std::string& payload : payloads) {
            writer.append(7, payload);
            ends.push_back(writer.bytes());
        }
        writer.sync();
    }
    const std::string whole = bytes_of(source / log_file_name(1));
    const TemporaryDirectory log;
    const auto file = log / log_file_name(1);
    set_bytes(file, whole.substr(0, ends[0]));
    Reader all_along(log.path());
    CHECK(all_along.news().empty());
    std::size_t records = 0;
    for (std::size_t size = ends[0]; size <= whole.size(); ++size) {
        if (size > ends[0]) std::ofstream(file, std::ios::binary | std::ios::app) << whole[size - 1];
        const bool complete = records < payloads.size() && size == ends[records + 1];
        REQUIRE(all_along.news() == (complete ? Strings{payloads[records]} : Strings{}));
        if (complete) ++records;
        REQUIRE(all_along.outcome == Followed::up_to_date);
        Reader fresh(log.path());
        REQUIRE(fresh.news() == Strings(payloads.begin(), payloads.begin() + static_cast<std::ptrdiff_t>(records)));
        const auto tail = fresh.follower.tail();
        REQUIRE(tail.has_value() == (size > ends[records]));
        if (tail.has_value()) {
            REQUIRE(tail->bytes == size - ends[records]);
            REQUIRE_FALSE(tail->whole);
        }
    }
    CHECK(records == payloads.size());
}

TEST_CASE("A half record that the writer takes back, at any byte, is forgotten") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory source;
    const auto file_with = [&](const std::string& second) {
        fs::remove_all(source.path());
        fs::create_directory(source.path());
        LogWriter writer(source.path(), id, 1);
        writer.append(7, "first");
        writer.append(7, second);
        return bytes_of(source / log_file_name(1));
    };
    const std::string taken_back = file_with("taken back");
    const std::string written = file_with("written instead");
    const std::size_t first = kith::detail::log_header_bytes + kith::detail::log_record_header_bytes + 5;
    for (std::size_t size = first; size < taken_back.size(); ++size) {
        const TemporaryDirectory log;
        const auto file = log / log_file_name(1);
        set_bytes(file, taken_back.substr(0, size));
        Reader reader(log.path());
        REQUIRE(reader.news() == Strings{"first"});
        fs::resize_file(file, first);
        REQUIRE(reader.news().empty());
        std::ofstream(file, std::ios::binary | std::ios::app) << written.substr(first);
        REQUIRE(reader.news() == Strings{"written instead"});
    }
}

TEST_CASE("A tail that a killed writer left is not yet a record; the next writer's come after it") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        writer.append(7, "one");
        writer.append(7, "half");
    }
    const auto file = log / log_file_name(1);
    fs::resize_file(file, fs::file_size(file) - 1);
    Reader reader(log.path());
    CHECK(reader.news() == Strings{"one"});
    CHECK(reader.news().empty());
    REQUIRE(reader.follower.tail().has_value());
    CHECK(reader.follower.tail()->file == file.string());
    const auto result = kith::detail::replay_log(
        log.path(), id, 0, [](std::uint64_t, std::uint8_t, std::string_view) {}, ReplayMode::recover);
    CHECK(reader.news().empty());
    LogWriter writer(log.path(), id, result.last_sequence + 1);
    writer.append(7, "two");
    CHECK(reader.news() == Strings{"two"});
    writer.rotate();
    remove_before(writer, 3);
    writer.append(7, "three");
    CHECK(reader.news() == Strings{"three"});
}

TEST_CASE("A file that is open is read to its end though it was removed; past that the follower is behind") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory log;
    LogWriter writer(log.path(), id, 1);
    writer.append(7, "one");
    Reader reader(log.path());
    CHECK(reader.news() == Strings{"one"});
    writer.append(7, "two");
    writer.rotate();
    writer.append(7, "three");
    remove_before(writer, 3);
    CHECK(reader.news() == Strings{"two", "three"});
    writer.append(7, "four");
    writer.rotate();
    writer.append(7, "five");
    writer.rotate();
    remove_before(writer, 6);
    CHECK(reader.news() == Strings{"four"});
    CHECK(reader.outcome == Followed::behind);
    CHECK(reader.news().empty());
    CHECK(reader.outcome == Followed::behind);
    CHECK(raised([&] { reader.follower.raise_missing(); }).says("record 5 is missing"));
    Reader again(log.path(), 5);
    CHECK(again.news().empty());
    CHECK(again.outcome == Followed::up_to_date);
    writer.append(7, "six");
    CHECK(again.news() == Strings{"six"});
}

TEST_CASE("A state record may be ahead of the log, whose end is then passed by") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory log;
    {
        LogWriter writer(log.path(), id, 1);
        writer.append(7, "one");
        writer.append(7, "two");
    }
    Reader reader(log.path(), 8);
    CHECK(reader.news().empty());
    CHECK(reader.outcome == Followed::up_to_date);
    LogWriter writer(log.path(), id, 9);
    writer.append(7, "nine");
    CHECK(reader.news() == Strings{"nine"});
}

TEST_CASE("Damage is told from what is being written once something comes after it") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory log;
    LogWriter writer(log.path(), id, 1);
    for (const char* payload : {"one", "two", "three"}) {
        writer.append(7, payload);
        writer.sync();
    }
    const auto file = log / log_file_name(1);
    const std::string whole = bytes_of(file);
    const std::size_t second = kith::detail::log_header_bytes + kith::detail::log_record_header_bytes + 3;
    for (std::size_t at = second; at < second + kith::detail::log_record_header_bytes + 3; ++at) {
        set_bytes(file, flipped(whole, at));
        Reader reader(log.path());
        REQUIRE(reader.news() == Strings{"one"});
        const Raised trouble = raised([&] { static_cast<void>(reader.follower.tail()); });
        REQUIRE(trouble.code == Errc::corrupt);
        REQUIRE(trouble.says(log_file_name(1) + " is damaged at byte " + std::to_string(second)));
    }
    writer.rotate();
    writer.append(7, "four");
    Reader reader(log.path());
    const Raised trouble = raised([&] { static_cast<void>(reader.news()); });
    CHECK(trouble.code == Errc::corrupt);
    CHECK(trouble.says("record 2 is wrong"));
    set_bytes(file, whole);
    CHECK(Reader(log.path()).news().size() == 4);

    writer.rotate();
    writer.append(7, "five");
    fs::remove(log / log_file_name(4));
    Reader missing(log.path());
    CHECK(missing.news() == Strings{"one", "two", "three"});
    CHECK(missing.outcome == Followed::behind);
    CHECK(raised([&] { missing.follower.raise_missing(); }).says(log_file_name(4) + " (byte 0): is missing"));
    fs::remove(log / log_file_name(5));
    set_bytes(file, whole.substr(0, second));
    Reader cut(log.path(), 3);
    CHECK(cut.news().empty());  // what is cut off is not asked for
    CHECK(cut.outcome == Followed::up_to_date);
}

TEST_CASE("A file cut below what was read from it is damage") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory log;
    LogWriter writer(log.path(), id, 1);
    writer.append(7, "one");
    writer.append(7, "two");
    Reader reader(log.path());
    CHECK(reader.news().size() == 2);
    fs::resize_file(log / log_file_name(1), 60);
    CHECK(raised([&] { static_cast<void>(reader.news()); }).says("ends before what was read"));
}

TEST_CASE("A record whose visit raised comes again") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory log;
    LogWriter writer(log.path(), id, 1);
    for (const char* payload : {"one", "two", "three"}) writer.append(7, payload);
    Reader reader(log.path());
    const Raised trouble = raised([&] {
        reader.follower.follow([](std::uint64_t sequence, std::uint8_t, std::string_view) {
            if (sequence == 2) kith::raise(Errc::invalid_argument, "not this one");
        });
    });
    CHECK(trouble.says("not this one"));
    CHECK(reader.follower.last_sequence() == 1);
    CHECK(reader.news() == Strings{"two", "three"});
}

TEST_CASE("A follower in one thread loses nothing that another writes, rotates and removes", "[threads]") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        const TemporaryDirectory log;
        constexpr std::uint64_t count = 3000;
        std::atomic<std::uint64_t> applied = 0;
        {
            const LogWriter made(log.path(), id, 1);
        }
        std::thread writer([&] { write_much(log.path(), count, seed, applied); });
        follow_all(log.path(), count, applied);
        writer.join();
    }
}

TEST_CASE("A follower in one process loses nothing that another writes, rotates and removes") {
    const TemporaryDirectory log;
    constexpr std::uint64_t count = 5000;
    void* const shared =
        ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    auto& applied = *new (shared) std::atomic<std::uint64_t>(0);
    {
        const LogWriter made(log.path(), id, 1);
    }
    OtherProcess writer([&](OtherProcess::Line&) {
        write_much(log.path(), count, 9, applied);
        return 0;
    });
    follow_all(log.path(), count, applied);
    CHECK(writer.wait() == 0);
    ::munmap(shared, sizeof(std::atomic<std::uint64_t>));
}
