// tests/storage/environment_compact_test.cpp — free pages go back to the file system, and nothing else changes.
#include "environment_fixture.hpp"

#include "support/file_faults.hpp"
#include "support/other_process.hpp"
#include "support/temporary_directory.hpp"

#include <sys/mman.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using kith::Errc;
using kith::LongCall;
using kith_test::Environment;
using kith_test::EnvironmentMode;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::fill_rows;
using kith_test::in_child;
using kith_test::open_trouble;
using kith_test::OtherProcess;
using kith_test::raised;
using kith_test::ReadTransaction;
using kith_test::row_of;
using kith_test::TemporaryDirectory;
using kith_test::WriteTransaction;

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t row_count = 12'000;

/// An environment most of whose pages are free: rows that 10 does not divide were erased.
Environment mostly_free(const fs::path& directory) {
    fill_rows(directory, row_count);
    Environment environment(directory, EnvironmentMode::read_write);
    environment.write([](WriteTransaction& changes) {
        for (std::uint64_t id = 0; id < row_count; ++id) {
            if (id % 10 == 0) continue;
            changes.erase_row(id);
            changes.erase_key("key-" + std::to_string(id));
        }
    });
    return environment;
}

bool holds_the_rest(const Environment& environment) {
    const ReadTransaction reader = environment.read();
    bool right = reader.row_count() == row_count / 10 && reader.key_count() == row_count / 10 &&
                 reader.state("checkpoint") == "the state";
    for (std::uint64_t id = 0; id < row_count && right; ++id) {
        const bool there = id % 10 == 0;
        right = reader.row(id).has_value() == there && reader.key("key-" + std::to_string(id)).has_value() == there &&
                (!there || (reader.row(id) == row_of(id) && reader.key("key-" + std::to_string(id)) == id));
    }
    return right;
}

std::uint64_t bytes_of_file(const fs::path& directory) {
    return fs::file_size(directory / "data.mdb");
}

}  // namespace

TEST_CASE("A compacted environment takes a fraction of the bytes, holds the same, and goes on") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment = mostly_free(directory.path());
    const Environment reader(directory.path(), EnvironmentMode::read_only);
    const std::uint64_t before = bytes_of_file(directory.path());
    const std::uint64_t commit = reader.read().commit_number();
    REQUIRE(environment.compact());
    CHECK(bytes_of_file(directory.path()) < before / 5);
    CHECK(environment.stats().file_bytes == bytes_of_file(directory.path()));
    CHECK(environment.stats().free_pages <= 4);
    CHECK(holds_the_rest(environment));
    CHECK(holds_the_rest(reader));
    CHECK(reader.read().commit_number() > commit);
    CHECK_FALSE(environment.compact());  // nothing is left to give back

    environment.write([](WriteTransaction& changes) { changes.put_row(3, "three"); });
    CHECK(reader.read().row(3) == "three");
    CHECK(open_trouble(directory.path(), EnvironmentMode::read_only).text.empty());  // shared: the name is known
    CHECK(Environment(directory.path(), EnvironmentMode::read_only).read().row(3) == "three");
    environment.write([](WriteTransaction& changes) { changes.erase_row(3); });
    std::size_t names = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(directory.path())) ++names;
    CHECK(names == 2);
}

TEST_CASE("Where another process reads, nothing is compacted until it is gone") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment = mostly_free(directory.path());
    const std::uint64_t before = bytes_of_file(directory.path());
    int ready[2];
    int done[2];
    REQUIRE(::pipe(ready) == 0);
    REQUIRE(::pipe(done) == 0);
    char byte = 0;
    std::thread reading([&] {
        const int code = in_child([&] {
            const Environment other(directory.path(), EnvironmentMode::read_only);
            char one = 'r';
            if (::write(ready[1], &one, 1) != 1 || ::read(done[0], &one, 1) != 1) return 1;
            return holds_the_rest(other) ? 0 : 2;
        });
        if (code != 0) std::abort();
    });
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK_FALSE(environment.compact());
    CHECK(bytes_of_file(directory.path()) == before);
    CHECK(holds_the_rest(environment));
    REQUIRE(::write(done[1], &byte, 1) == 1);
    reading.join();
    CHECK(environment.compact());
    CHECK(bytes_of_file(directory.path()) < before / 5);
    CHECK(in_child([&] { return holds_the_rest(Environment(directory.path(), EnvironmentMode::read_only)) ? 0 : 1; }) ==
          0);
    CHECK(holds_the_rest(environment));
}

TEST_CASE("A child that drops what it inherited keeps the locks of what it opened itself") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment = mostly_free(directory.path());
    OtherProcess first([&](OtherProcess::Line& line) {
        const Environment other(directory.path(), EnvironmentMode::read_only);
        line.report();
        line.wait_for_stop();
        return 0;
    });
    first.await_report();
    CHECK_FALSE(environment.compact());  // it has asked for the lock, and so has the lock file open
    CHECK(first.stop() == 0);
    OtherProcess second([&](OtherProcess::Line& line) {
        const Environment own(directory.path(), EnvironmentMode::read_only);
        {
            const Environment inherited = std::move(environment);
        }
        line.report();
        line.wait_for_stop();
        return holds_the_rest(own) ? 0 : 1;
    });
    second.await_report();
    CHECK_FALSE(environment.compact());
    CHECK(second.stop() == 0);
    CHECK(environment.compact());
    CHECK(holds_the_rest(environment));
}

TEST_CASE("Readers and writers of the process go on while it is compacted") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment = mostly_free(directory.path());
    std::atomic<bool> stop = false;
    std::atomic<bool> wrong = false;
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 3; ++reader) {
        readers.emplace_back([&] {
            while (!stop.load()) wrong = wrong.load() || !holds_the_rest(environment);
        });
    }
    CHECK(environment.compact());
    CHECK_FALSE(environment.compact());
    for (int number = 0; number < 5; ++number) {
        environment.write([](WriteTransaction& changes) { changes.put_state("other", std::string(3'000'000, 'x')); });
        environment.write([](WriteTransaction& changes) { changes.put_state("other", "x"); });
        CHECK(environment.compact());
    }
    stop = true;
    for (std::thread& reader : readers) reader.join();
    CHECK_FALSE(wrong.load());
    CHECK(holds_the_rest(environment));
}

TEST_CASE("A compaction that fails anywhere, or is stopped, leaves what there was") {
    if (!FileFaults::work()) return;
    int poisoned = 0;
    for (const FileCall call : {FileCall::write, FileCall::sync, FileCall::rename}) {
        bool whole = false;
        for (int nth = 1; !whole; ++nth) {
            REQUIRE(nth < 100);
            const TemporaryDirectory directory;
            std::optional<Environment> environment = mostly_free(directory.path());
            kith_test::Raised failed;
            {
                const FileFaults faults(call, nth, EIO);
                failed = raised([&] { whole = environment->compact(); });
            }
            INFO("call " << nth << ": " << failed.text);
            CHECK(failed.code == (whole ? std::nullopt : std::optional(Errc::io)));
            poisoned += environment->poisoned() ? 1 : 0;
            if (!environment->poisoned()) CHECK(holds_the_rest(*environment));
            environment.reset();
            environment.emplace(directory.path(), EnvironmentMode::read_write);
            CHECK(holds_the_rest(*environment));
            CHECK_FALSE(fs::exists(directory / "data.mdb.compact.tmp"));
            static_cast<void>(environment->compact());
            CHECK(environment->stats().free_pages <= 4);
        }
    }
    CHECK(poisoned == 1);  // when the new name was not synced
    const TemporaryDirectory directory;
    Environment environment = mostly_free(directory.path());
    LongCall late;
    late.deadline = std::chrono::steady_clock::now();
    CHECK(raised([&] { static_cast<void>(environment.compact(late)); }).code == Errc::timed_out);
    CHECK(holds_the_rest(environment));
    fs::create_directories(directory / "data.mdb.compact.tmp");  // as a process that was killed leaves it
    environment = Environment(directory.path(), EnvironmentMode::read_write);
    CHECK_FALSE(fs::exists(directory / "data.mdb.compact.tmp"));
}

TEST_CASE("A process that opens the file while it is compacted never reads the old one") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment = mostly_free(directory.path());
    void* const shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    auto* const written = new (shared) std::atomic<std::uint64_t>(0);  // the number that row 1 has, at least
    std::atomic<int> stale = 0;
    std::thread reading([&] {
        const int code = in_child([&] {
            written->store(1);
            for (std::uint64_t least = 0; least < 40;) {
                const std::uint64_t seen = least;  // so that it is closed now and then
                while (written->load() == seen) std::this_thread::yield();
                least = written->load();
                const Environment other(directory.path(), EnvironmentMode::read_only);
                const ReadTransaction reader = other.read();
                const auto row = reader.row(1);
                if (least > 1 && (!row.has_value() || std::stoull(std::string(*row)) < least)) return 1;
            }
            return 0;
        });
        stale = code;
    });
    while (written->load() == 0) std::this_thread::yield();
    for (std::uint64_t number = 2; number <= 40; ++number) {
        environment.write([&](WriteTransaction& changes) {
            for (std::uint64_t id = 0; id < 40; ++id) changes.put_row(row_count + id, std::string(40'000, 'x'));
        });
        environment.write([&](WriteTransaction& changes) {
            changes.erase_rows(row_count, row_count + 40);
            changes.put_row(1, std::to_string(number));
        });
        written->store(number);
        while (!environment.compact()) std::this_thread::yield();
    }
    reading.join();
    CHECK(stale.load() == 0);
    ::munmap(shared, 4096);
}
