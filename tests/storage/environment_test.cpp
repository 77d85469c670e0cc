// tests/storage/environment_test.cpp — rows, keys and state are committed together and read as one commit left them.
#include "storage/environment_fixture.hpp"

#include "kith/core/random.hpp"

#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

#include <sys/resource.h>
#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

using kith::Errc;
using kith_test::Environment;
using kith_test::EnvironmentMode;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::fill_rows;
using kith_test::in_child;
using kith_test::open_trouble;
using kith_test::Raised;
using kith_test::raised;
using kith_test::ReadTransaction;
using kith_test::row_of;
using kith_test::TemporaryDirectory;
using kith_test::WriteTransaction;

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

TEST_CASE("A range of rows is erased, however many there are in it") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 3000);
    Environment environment(directory.path(), EnvironmentMode::read_write);
    std::uint64_t erased = 0;
    const auto erase = [&](std::uint64_t first, std::uint64_t last) {
        environment.write([&](WriteTransaction& changes) { erased = changes.erase_rows(first, last); });
        return erased;
    };
    const auto remaining = [&] {
        std::vector<std::uint64_t> ids;
        const ReadTransaction reader = environment.read();
        for (auto id = reader.next_row_id(0); id.has_value(); id = reader.next_row_id(*id + 1)) ids.push_back(*id);
        return ids;
    };
    CHECK(erase(5000, 9000) == 0);
    CHECK(erase(9, 8) == 0);
    CHECK(erase(7, 7) == 1);
    CHECK(erase(7, 7) == 0);
    CHECK(erase(5, 2990) == 2985);
    CHECK(remaining() ==
          std::vector<std::uint64_t>{0, 1, 2, 3, 4, 2991, 2992, 2993, 2994, 2995, 2996, 2997, 2998, 2999});
    CHECK(environment.read().row(2991) == row_of(2991));
    environment.write([](WriteTransaction& changes) {
        changes.put_row(~std::uint64_t{0}, "last");
        changes.put_row(std::uint64_t{1} << 32, "segment 1");
    });
    CHECK(environment.read().next_row_id(3000) == std::uint64_t{1} << 32);
    CHECK(erase(3, ~std::uint64_t{0}) == 13);
    CHECK(remaining() == std::vector<std::uint64_t>{0, 1, 2});
    CHECK(erase(0, ~std::uint64_t{0}) == 3);
    CHECK(remaining().empty());
    CHECK(environment.read().key_count() == 3000);
}

TEST_CASE("Figures tell pages in use from pages to be used again, and who reads the oldest commit") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 3000);
    Environment environment(directory.path(), EnvironmentMode::read_write);
    const kith::detail::EnvironmentStats full = environment.stats();
    CHECK(full.page_bytes >= 4096);
    CHECK(full.used_pages * full.page_bytes > std::uint64_t{3000} * 150);
    CHECK(full.file_bytes == std::filesystem::file_size(directory / "data.mdb"));
    CHECK(full.map_bytes == kith::detail::default_map_bytes);
    CHECK(full.readers == 0);
    CHECK_FALSE(full.oldest_reader.has_value());
    {
        const ReadTransaction old = environment.read();
        CHECK(environment.stats().readers == 1);
        CHECK_FALSE(environment.stats().oldest_reader.has_value());
        for (std::uint64_t round = 0; round < 3; ++round) {
            environment.write([&](WriteTransaction& changes) { changes.erase_rows(0, 1000 * round + 999); });
        }
        const kith::detail::EnvironmentStats held = environment.stats();
        REQUIRE(held.oldest_reader.has_value());
        CHECK(held.oldest_reader->process == ::getpid());
        CHECK(held.oldest_reader->commits_behind == 3);
        CHECK(old.row_count() == 3000);
    }
    const kith::detail::EnvironmentStats empty = environment.stats();
    CHECK(empty.used_pages < full.used_pages);
    CHECK(empty.free_pages > full.used_pages / 2);
    CHECK((empty.used_pages + empty.free_pages) * empty.page_bytes >= full.file_bytes);
    CHECK_FALSE(empty.oldest_reader.has_value());
}

TEST_CASE("A copy made while a writer goes on holds one commit, whole") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const TemporaryDirectory copies;
    Environment environment(directory.path(), EnvironmentMode::create);
    const auto put = [&](int round) {
        environment.write([&](WriteTransaction& changes) {
            for (std::uint64_t id = 0; id < 300; ++id) {
                changes.put_row(id, std::to_string(round) + std::string(id * 20, '.'));
            }
        });
    };
    put(0);
    // A copy keeps the pages it reads, so the file grows with each round beside it: some rounds a copy, not all there
    // is time for. Unbounded, a slow copy makes a longer file, which makes a slower copy, until the disk is full.
    constexpr int copy_count = 5, rounds_a_copy = 8;
    std::atomic<int> allowed = 0;
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        for (int round = 1; !stop;) {
            if (round <= allowed) {
                put(round++);
            } else {
                std::this_thread::yield();
            }
        }
    });
    for (int copy = 0; copy < copy_count; ++copy) {
        allowed += rounds_a_copy;
        environment.copy_to(copies / "data.mdb");
    }
    stop = true;
    writer.join();
    CHECK_FALSE(std::filesystem::exists(copies / "data.mdb.tmp"));
    CHECK(environment.stats().file_bytes < std::uint64_t{100} << 20);
    const Environment copied(copies.path(), EnvironmentMode::read_only);
    const ReadTransaction reader = copied.read();
    REQUIRE(reader.row_count() == 300);
    const std::string round(*reader.row(0));
    for (std::uint64_t id = 0; id < 300; ++id) REQUIRE(reader.row(id) == round + std::string(id * 20, '.'));
}

TEST_CASE("A copy that fails leaves nothing, and the environment goes on") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    const TemporaryDirectory copies;
    fill_rows(directory.path(), 100);
    const Environment environment(directory.path(), EnvironmentMode::read_only);
    {
        const FileFaults faults(FileCall::sync, 1, EIO);
        CHECK(raised([&] { environment.copy_to(copies / "data.mdb"); }).code == Errc::io);
    }
    CHECK(std::filesystem::is_empty(copies.path()));
    CHECK(raised([&] { environment.copy_to(copies / "none" / "data.mdb"); }).says("none"));
    environment.copy_to(copies / "data.mdb");
    CHECK(Environment(copies.path(), EnvironmentMode::read_write).read().row(99) == row_of(99));
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
    expect(Errc::invalid_argument, [](WriteTransaction&) { kith::raise(Errc::invalid_argument, "by the caller"); });
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
    // A sanitizer reserves terabytes, and cannot live under a limit.
    std::size_t pages_in_use = 0;
    if (!(std::ifstream("/proc/self/statm") >> pages_in_use) || pages_in_use > std::size_t{1} << 28) return;
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

TEST_CASE("Reading works where nothing can be written, and writing there is refused") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    std::filesystem::remove(directory / "lock.mdb");
    CHECK(in_child([&] {
              std::filesystem::permissions(directory.path(), std::filesystem::perms(0555));
              std::filesystem::permissions(directory / "data.mdb", std::filesystem::perms(0444));
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 0;
              if (Environment::can_register_readers(directory.path())) return 5;
              if (open_trouble(directory.path(), EnvironmentMode::read_only).code != Errc::io) return 6;
              Environment environment(directory.path(), EnvironmentMode::read_alone);
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
