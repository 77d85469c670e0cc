// tests/storage/environment_test.cpp — rows, keys and state are committed together, and no damage passes for data.
#include "kith/storage/environment.hpp"

#include "kith/core/random.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"
#include "support/temporary_directory.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

using kith::Errc;
using kith::detail::Environment;
using kith::detail::EnvironmentMode;
using kith::detail::ReadTransaction;
using kith::detail::WriteTransaction;
using kith_test::bytes_of;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::flipped;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

std::string row_of(std::uint64_t id) {
    return std::string(id % 300, static_cast<char>('a' + id % 26)) + std::to_string(id);
}

void fill_rows(const std::filesystem::path& directory, std::uint64_t count) {
    Environment environment(directory, EnvironmentMode::create);
    environment.write([&](WriteTransaction& changes) {
        for (std::uint64_t id = 0; id < count; ++id) {
            changes.put_row(id, row_of(id));
            changes.put_key("key-" + std::to_string(id), id);
        }
        changes.put_state("checkpoint", "the state");
    });
}

Raised open_trouble(const std::filesystem::path& directory, EnvironmentMode mode = EnvironmentMode::read_write) {
    return raised([&] { Environment(directory, mode); });
}

// The exit code of `act` in a child process; 1000 + the signal that ended it.
template <class Act>
int in_child(Act&& act) {
    const pid_t child = ::fork();
    if (child == 0) {
        int code = 99;
        try {
            code = act();
        } catch (...) {
            code = 98;
        }
        ::_exit(code);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("An environment gives back what was committed, in this process and the next") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 2000);
    for (const EnvironmentMode mode : {EnvironmentMode::read_write, EnvironmentMode::read_only}) {
        const Environment environment(directory.path(), mode);
        const ReadTransaction reader = environment.read();
        for (std::uint64_t id = 0; id < 2000; ++id) {
            REQUIRE(reader.row(id) == row_of(id));
            REQUIRE(reader.key("key-" + std::to_string(id)) == id);
        }
        CHECK(reader.row_count() == 2000);
        CHECK(reader.key_count() == 2000);
        CHECK(reader.state("checkpoint") == "the state");
        CHECK_FALSE(reader.row(2000).has_value());
        CHECK_FALSE(reader.key("").has_value());
        CHECK_FALSE(reader.key(std::string(512, 'k')).has_value());
        CHECK_FALSE(reader.state("other").has_value());
    }
}

TEST_CASE("An environment agrees with a map over random commits, and iterates in order of ids") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    std::map<std::uint64_t, std::string> rows;
    std::map<std::string, std::uint64_t> keys;
    kith::SplitMix64 random(7);
    {
        const Environment made(directory.path(), EnvironmentMode::create);
    }
    for (int round = 0; round < 40; ++round) {
        Environment environment(directory.path(),
                                EnvironmentMode::read_write);  // every opening checks the file's pages
        environment.write([&](WriteTransaction& changes) {
            for (int change = 0; change < 60; ++change) {
                const std::uint64_t id = random() % 2 == 0 ? random() % 200 : ~(random() % 200);
                const std::string key = "k" + std::to_string(random() % 300);
                if (round % 4 == 3 || random() % 3 == 0) {
                    changes.erase_row(id);
                    changes.erase_key(key);
                    rows.erase(id);
                    keys.erase(key);
                } else {
                    const std::string row(random() % 5 == 0 ? random() % 20000 : random() % 400, 'r');
                    changes.put_row(id, row);
                    changes.put_key(key, id);
                    rows[id] = row;
                    keys[key] = id;
                }
            }
        });
        std::map<std::uint64_t, std::string> found;
        std::uint64_t before = 0;
        const ReadTransaction reader = environment.read();
        reader.for_each_row(0, ~std::uint64_t{0}, [&](std::uint64_t id, std::string_view row) {
            REQUIRE((found.empty() || id > before));
            before = id;
            found.emplace(id, row);
            return true;
        });
        REQUIRE(found == rows);
        std::map<std::string, std::uint64_t> found_keys;
        reader.for_each_key([&](std::string_view key, std::uint64_t id) { return found_keys.emplace(key, id).second; });
        REQUIRE(found_keys == keys);
    }
}

TEST_CASE("Iteration keeps to its range and stops when told") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 100);
    const Environment environment(directory.path(), EnvironmentMode::read_only);
    const ReadTransaction reader = environment.read();
    std::vector<std::uint64_t> ids;
    const auto take = [&](std::uint64_t id, std::string_view) { return ids.push_back(id), ids.size() < 5; };
    reader.for_each_row(97, 200, take);
    CHECK(ids == std::vector<std::uint64_t>{97, 98, 99});
    ids.clear();
    reader.for_each_row(10, 11, take);
    CHECK(ids == std::vector<std::uint64_t>{10, 11});
    ids.clear();
    reader.for_each_row(0, 99, take);
    CHECK(ids.size() == 5);
    ids.clear();
    reader.for_each_row(100, 99, take);
    CHECK(ids.empty());
}

TEST_CASE("A write that raises changes nothing") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    Environment environment(directory.path(), EnvironmentMode::read_write);
    const auto expect = [&](Errc code, auto&& put) {
        CHECK(raised([&] {
                  environment.write([&](WriteTransaction& changes) {
                      changes.put_row(3, "changed");
                      put(changes);
                  });
              }).code == code);
        CHECK(environment.read().row(3) == row_of(3));
    };
    expect(Errc::cancelled, [](WriteTransaction&) { kith::raise(Errc::cancelled, "by the caller"); });
    expect(Errc::invalid_argument, [](WriteTransaction& changes) { changes.put_key("", 1); });
    expect(Errc::limit_exceeded, [](WriteTransaction& changes) { changes.put_key(std::string(512, 'k'), 1); });
    expect(Errc::limit_exceeded,
           [](WriteTransaction& changes) { changes.put_row(1, {"", kith::detail::max_row_bytes + 1}); });
    environment.write([](WriteTransaction& changes) { changes.put_key(std::string(511, 'k'), 7); });
    CHECK(environment.read().key(std::string(511, 'k')) == 7U);
}

TEST_CASE("A reader sees the commit it began with while a writer goes on") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    Environment environment(directory.path(), EnvironmentMode::read_write);
    const ReadTransaction before = environment.read();
    environment.write([](WriteTransaction& changes) { changes.put_row(3, "new"); });
    CHECK(before.row(3) == row_of(3));
    ReadTransaction after = environment.read();
    CHECK(after.row(3) == "new");
    ReadTransaction moved = std::move(after);
    CHECK(moved.row(3) == "new");
}

TEST_CASE("Readers in many threads see whole commits while one writes", "[threads]") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment(directory.path(), EnvironmentMode::create);
    const auto put = [&](const std::string& text) {
        environment.write([&](WriteTransaction& changes) {
            for (std::uint64_t id = 0; id < 20; ++id) changes.put_row(id, text + std::string(id * 400, '.'));
        });
    };
    put("0");
    std::atomic<bool> stop = false;
    std::atomic<int> torn = 0;
    std::vector<std::thread> readers;
    for (int thread = 0; thread < 4; ++thread) {
        readers.emplace_back([&] {
            while (!stop) {
                const ReadTransaction reader = environment.read();
                const char first = reader.row(0)->front();
                for (std::uint64_t id = 1; id < 20; ++id) torn += reader.row(id)->front() != first;
            }
        });
    }
    for (int round = 0; round < 100; ++round) put(std::to_string(round % 10));
    stop = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(torn == 0);
}

TEST_CASE("A full map grows, and the transaction is done again, once, whole") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment(directory.path(), EnvironmentMode::create, 1);  // the least there is: 16 MiB
    int runs = 0;
    environment.write([&](WriteTransaction& changes) {
        ++runs;
        for (std::uint64_t id = 0; id < 40; ++id) changes.put_row(id, std::string(1 << 20, static_cast<char>(id)));
    });
    CHECK(runs == 3);
    const ReadTransaction reader = environment.read();
    CHECK(reader.row_count() == 40);
    CHECK(reader.row(39) == std::string(1 << 20, static_cast<char>(39)));
}

TEST_CASE("Growing waits for readers and keeps what they see") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Environment environment(directory.path(), EnvironmentMode::create, 1);
    environment.write([](WriteTransaction& changes) { changes.put_row(0, "zero"); });
    std::atomic<bool> reading = false;
    std::thread reader([&] {
        const ReadTransaction transaction = environment.read();
        reading = true;
        for (int look = 0; look < 50; ++look) {
            if (transaction.row(0) != "zero") reading = false;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    while (!reading) std::this_thread::yield();
    environment.write([](WriteTransaction& changes) {
        for (std::uint64_t id = 1; id < 30; ++id) changes.put_row(id, std::string(1 << 20, 'x'));
    });
    reader.join();
    CHECK(reading);
    CHECK(environment.read().row_count() == 30);
}

TEST_CASE("Too little address space means a smaller map, not a failure") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 100);
    CHECK(in_child([&] {
              struct rlimit space = {};
              ::getrlimit(RLIMIT_AS, &space);
              space.rlim_cur = rlim_t{4} << 30;
              if (::setrlimit(RLIMIT_AS, &space) != 0) return 0;
              Environment environment(directory.path(), EnvironmentMode::read_write);
              environment.write([](WriteTransaction& changes) { changes.put_row(1, "small"); });
              return environment.read().row(1) == "small" ? 0 : 1;
          }) == 0);
}

TEST_CASE("A missing, empty, cut or foreign data file is refused by name before LMDB sees it") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 3000);
    const auto file = directory / "data.mdb";
    const std::string whole = bytes_of(file);
    const auto expect = [&](const std::string& bytes, Errc code, const std::string& words) {
        set_bytes(file, bytes);
        for (const EnvironmentMode mode : {EnvironmentMode::read_write, EnvironmentMode::read_only}) {
            const Raised trouble = open_trouble(directory.path(), mode);
            CHECK(trouble.code == code);
            CHECK(trouble.says(file.string()));
            CHECK(trouble.says(words));
        }
        CHECK(bytes_of(file) == bytes);
    };
    CHECK(open_trouble(directory.path(), EnvironmentMode::create).code == Errc::already_exists);
    expect("", Errc::corrupt, "it is empty");
    expect(whole.substr(0, 20), Errc::corrupt, "ends inside its first page");
    expect(whole.substr(0, 4096), Errc::corrupt, "ends inside a meta page");
    expect(std::string(whole.size(), 'g'), Errc::corrupt, "it is not an LMDB file");
    expect(flipped(whole, 16), Errc::corrupt, "it is not an LMDB file");
    expect(flipped(whole, 4096 + 16), Errc::corrupt, "a meta page does not begin as one does");
    expect(whole.substr(0, 16) + std::string(8, '\0') + whole.substr(16), Errc::unsupported_version,
           "was written by LMDB 1.x, this build has LMDB 0.9");
    for (std::size_t pages = 2; pages < whole.size() / 4096; pages += 37) {
        expect(whole.substr(0, pages * 4096), Errc::corrupt, "it is cut here");
    }
    std::filesystem::remove(file);
    CHECK(open_trouble(directory.path()).says("is missing"));
    CHECK_FALSE(std::filesystem::exists(file));
    set_bytes(file, whole);
    CHECK_FALSE(open_trouble(directory.path()).code.has_value());
}

TEST_CASE("A data file that LMDB left shorter than its page count is whole") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 100);
    {
        Environment environment(directory.path(), EnvironmentMode::read_write);
        environment.write([](WriteTransaction& changes) {
            for (std::uint64_t id = 1000; id < 3000; ++id) changes.put_row(id, std::string(300, 'x'));
            for (std::uint64_t id = 1000; id < 3000; ++id) changes.erase_row(id);
        });
    }
    CHECK_FALSE(open_trouble(directory.path()).code.has_value());
    CHECK(Environment(directory.path(), EnvironmentMode::read_only).read().row_count() == 100);
}

TEST_CASE("A flipped byte in a data file is an error or has no effect; wrong data is never read") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 150);
    const auto file = directory / "data.mdb";
    const std::string whole = bytes_of(file);
    kith::SplitMix64 random(11);
    int found = 0;
    for (int trial = 0; trial < 400; ++trial) {
        set_bytes(file, flipped(whole, random() % whole.size(), 1U << (random() % 8)));
        const int outcome = in_child([&] {
            int wrong = 0;
            const Raised trouble = raised([&] {
                const Environment environment(directory.path(), EnvironmentMode::read_only);
                const ReadTransaction reader = environment.read();
                for (std::uint64_t id = 0; id < 150; ++id) {
                    const auto row = reader.row(id);
                    const auto key = reader.key("key-" + std::to_string(id));
                    wrong += (row.has_value() && row != row_of(id)) || (key.has_value() && key != id);
                }
                reader.for_each_row(0, 1000, [&](std::uint64_t id, std::string_view row) {
                    wrong += row != row_of(id);
                    return true;
                });
            });
            if (wrong > 0) return 2;
            return trouble.code.has_value() ? 1 : 0;
        });
        CAPTURE(trial);
        CHECK((outcome == 0 || outcome == 1));
        found += outcome == 1;
    }
    CHECK(found > 100);
}

TEST_CASE("A damaged value is named by its table and key") {
    const TemporaryDirectory directory;
    {
        Environment environment(directory.path(), EnvironmentMode::create);
        environment.write([](WriteTransaction& changes) {
            changes.put_row(17, "the only row there is");
            changes.put_key("a\x01 key", 0x1122334455667788);
            changes.put_state("checkpoint", "the state of it all");
        });
    }
    const auto file = directory / "data.mdb";
    const std::string whole = bytes_of(file);
    const auto expect = [&](const std::string& stored, const std::string& name, auto&& look) {
        std::string damaged = whole;
        for (std::size_t at = whole.find(stored); at != std::string::npos; at = whole.find(stored, at + 1)) {
            damaged = flipped(damaged, at);
        }
        set_bytes(file, damaged);
        const Environment environment(directory.path(), EnvironmentMode::read_only);
        const ReadTransaction reader = environment.read();
        const Raised trouble = raised([&] { look(reader); });
        CHECK(trouble.code == Errc::corrupt);
        CHECK(trouble.says(file.string()));
        CHECK(trouble.says(name + ": its checksum is wrong"));
    };
    expect("the only row", "row 17", [](const ReadTransaction& reader) { return reader.row(17); });
    expect("\x88\x77\x66\x55\x44\x33\x22\x11", "key 'a\\x01 key'",
           [](const ReadTransaction& reader) { return reader.key("a\x01 key"); });
    expect("the state of", "state 'checkpoint'",
           [](const ReadTransaction& reader) { return reader.state("checkpoint"); });
    expect("the only row", "row 17", [](const ReadTransaction& reader) {
        reader.for_each_row(0, 100, [](std::uint64_t, std::string_view) { return true; });
        return 0;
    });
}

TEST_CASE("Reading works where nothing can be written, and writing there is refused") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    std::filesystem::remove(directory / "lock.mdb");
    CHECK(in_child([&] {
              std::filesystem::permissions(directory.path(), std::filesystem::perms(0555));
              std::filesystem::permissions(directory / "data.mdb", std::filesystem::perms(0444));
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 0;
              Environment environment(directory.path(), EnvironmentMode::read_only);
              if (environment.read().row(3) != row_of(3)) return 1;
              if (environment.read().row(4) != row_of(4)) return 2;
              const Raised refused = raised([&] { environment.write([](WriteTransaction&) {}); });
              if (refused.code != Errc::read_only) return 3;
              return open_trouble(directory.path()).code == Errc::io ? 0 : 4;
          }) == 0);
    std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
}

TEST_CASE("A child made by fork is told so, and does its parent no harm") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    Environment environment(directory.path(), EnvironmentMode::read_write);
    const ReadTransaction held = environment.read();
    CHECK(in_child([&] {
              const bool reading = raised([&] { static_cast<void>(environment.read()); }).code == Errc::forked;
              const bool writing = raised([&] { environment.write([](WriteTransaction&) {}); }).code == Errc::forked;
              Environment closed = std::move(environment);
              return reading && writing ? 0 : 1;
          }) == 0);
    CHECK(held.row(3) == row_of(3));
    environment.write([](WriteTransaction& changes) { changes.put_row(3, "after the fork"); });
    CHECK(environment.read().row(3) == "after the fork");
}

TEST_CASE("A full disk fails the commit and the next one succeeds") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    Environment environment(directory.path(), EnvironmentMode::read_write);
    const auto change = [&] { environment.write([](WriteTransaction& changes) { changes.put_row(3, "new"); }); };
    {
        const FileFaults faults(FileCall::write, 1, ENOSPC, FileFaults::every_later_one);
        const Raised trouble = raised(change);
        CHECK(trouble.code == Errc::disk_full);
        CHECK(trouble.says((directory / "data.mdb").string()));
        CHECK(FileFaults::calls(FileCall::write) > 0);
    }
    CHECK(environment.read().row(3) == row_of(3));
    change();
    CHECK(environment.read().row(3) == "new");
}

TEST_CASE("A file size limit fails the commit without a signal") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    Environment environment(directory.path(), EnvironmentMode::read_write);
    struct rlimit before = {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit tight = before;
    tight.rlim_cur = rlim_t{1} << 16;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const auto change = [&] {
        environment.write([](WriteTransaction& changes) { changes.put_row(3, std::string(1 << 19, 'x')); });
    };
    const Raised trouble = raised(change);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(trouble.code == Errc::disk_full);
    CHECK(environment.read().row(3) == row_of(3));
    change();
    CHECK(environment.read().row(3)->size() == 1 << 19);
}

TEST_CASE("A failed sync closes the environment to all but a new opening") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    {
        Environment environment(directory.path(), EnvironmentMode::read_write);
        {
            const FileFaults faults(FileCall::sync, 1, EIO);
            const Raised trouble =
                raised([&] { environment.write([](WriteTransaction& changes) { changes.put_row(3, "new"); }); });
            CHECK(trouble.code == Errc::io);
        }
        CHECK(raised([&] { static_cast<void>(environment.read()); }).code == Errc::poisoned);
        CHECK(raised([&] { environment.write([](WriteTransaction&) {}); }).code == Errc::poisoned);
    }
    CHECK(in_child([&] {
              Environment environment(directory.path(), EnvironmentMode::read_write);
              environment.write([](WriteTransaction& changes) { changes.put_row(4, "newer"); });
              return environment.read().row(3) == row_of(3) && environment.read().row(4) == "newer" ? 0 : 1;
          }) == 0);
}
