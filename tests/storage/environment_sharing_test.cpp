// tests/storage/environment_sharing_test.cpp — one opening of a file in a process, many processes at one file.
#include "storage/environment_fixture.hpp"

#include "support/file_faults.hpp"
#include "support/other_process.hpp"
#include "support/temporary_directory.hpp"

#include <atomic>
#include <optional>
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
using kith_test::OtherProcess;
using kith_test::raised;
using kith_test::ReadTransaction;
using kith_test::row_of;
using kith_test::TemporaryDirectory;
using kith_test::WriteTransaction;

namespace {

void put(Environment& environment, std::uint64_t id, const std::string& row) {
    environment.write([&](WriteTransaction& changes) { changes.put_row(id, row); });
}

constexpr EnvironmentMode to_read = EnvironmentMode::read_only;
constexpr EnvironmentMode to_write = EnvironmentMode::read_write;

}  // namespace

TEST_CASE("A file opened twice in a process is shared, in whichever order and by whatever path") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const TemporaryDirectory elsewhere;
    fill_rows(directory.path(), 10);
    std::filesystem::create_directory_symlink(directory.path(), elsewhere / "link");
    const auto around = directory.path() / ".." / directory.path().filename();
    for (const auto& second_path : {directory.path(), elsewhere / "link", around}) {
        for (const auto& [first_mode, second_mode] :
             {std::pair{to_read, to_read}, {to_read, to_write}, {to_write, to_read}, {to_write, to_write}}) {
            std::optional<Environment> first(std::in_place, directory.path(), first_mode);
            CHECK(first->read().row(3) == row_of(3));
            const Environment second(second_path, second_mode);
            CHECK(second.read().row(3) == row_of(3));
            first.reset();
            CHECK(second.read().row(3) == row_of(3));
        }
        Environment reader(directory.path(), to_read);
        std::optional<Environment> writer(std::in_place, second_path, to_write);
        put(*writer, 3, "shared");
        CHECK(reader.read().row(3) == "shared");
        CHECK(raised([&] { put(reader, 3, "by a reader"); }).code == Errc::read_only);
        const Environment second_reader(second_path, to_read);
        writer.reset();
        CHECK(reader.read().row(3) == "shared");
        CHECK(second_reader.read().row(4) == row_of(4));
        CHECK(raised([&] { put(reader, 3, "by a reader"); }).code == Errc::read_only);
        writer.emplace(second_path, to_write);
        put(*writer, 3, row_of(3));
        CHECK(second_reader.read().row(3) == row_of(3));
    }
}

TEST_CASE("Closing one of two handles leaves the process its locks, so a writer elsewhere spares what it reads") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 2000);
    const Environment kept(directory.path(), to_read);
    {
        const Environment second(directory.path(), to_read);
        CHECK(second.read().row(3) == row_of(3));
    }
    const ReadTransaction held = kept.read();
    CHECK(in_child([&] {
              Environment writer(directory.path(), to_write);
              for (int round = 0; round < 5; ++round) {
                  writer.write([&](WriteTransaction& changes) {
                      for (std::uint64_t id = 0; id < 2000; ++id) changes.put_row(id, "round " + std::to_string(round));
                  });
              }
              const auto stats = writer.stats();
              return stats.readers == 1 && stats.oldest_reader->commits_behind == 5 ? 0 : 1;
          }) == 0);
    for (std::uint64_t id = 0; id < 2000; ++id) REQUIRE(held.row(id) == row_of(id));
    CHECK(kept.read().row(7) == "round 4");
}

TEST_CASE("A reader of which writers know shares no opening of which they do not") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    const Environment alone(directory.path(), EnvironmentMode::read_alone);
    CHECK(alone.read().row(3) == row_of(3));
    const auto readers = [&] {
        return in_child([&] { return static_cast<int>(Environment(directory.path(), to_write).stats().readers); });
    };
    CHECK(readers() == 0);
    const Environment reader(directory.path(), to_read);
    {
        const ReadTransaction held = reader.read();
        CHECK(held.row(3) == row_of(3));
        CHECK(readers() == 1);
    }
    CHECK(alone.read().row(4) == row_of(4));
}

TEST_CASE("Opening to write waits for what reads in this process, and no longer") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    const Environment reader(directory.path(), to_read);
    std::atomic<int> seen = 0;
    std::thread reading([&] {
        const ReadTransaction transaction = reader.read();
        seen = 1;
        for (int look = 0; look < 20; ++look) {
            if (transaction.row(3) != row_of(3)) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        seen = 2;
    });
    while (seen == 0) std::this_thread::yield();
    Environment writer(directory.path(), to_write);
    CHECK(seen == 2);
    reading.join();
    put(writer, 3, "after");
    CHECK(reader.read().row(3) == "after");
}

TEST_CASE("Opening to write what may not be written is refused, and the reader of this process goes on") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    CHECK(in_child([&] {
              std::filesystem::permissions(directory / "data.mdb", std::filesystem::perms(0444));
              std::filesystem::permissions(directory / "lock.mdb", std::filesystem::perms(0666));
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 0;
              const Environment reader(directory.path(), to_read);
              if (kith_test::open_trouble(directory.path()).code != Errc::io) return 1;
              if (reader.read().row(3) != row_of(3)) return 2;
              return Environment(directory.path(), to_read).read().row(4) == row_of(4) ? 0 : 3;
          }) == 0);
}

TEST_CASE("Threads that open, read and close one file share it at every moment", "[threads]") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 50);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int round = 0; round < 100; ++round) {
                const bool writes = thread == 0 && round % 3 == 0;
                Environment environment(directory.path(), writes ? to_write : to_read);
                if (writes) put(environment, 7, "seven");
                const ReadTransaction reader = environment.read();
                wrong += reader.row(9) != row_of(9) || (writes && reader.row(7) != "seven");
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
}

TEST_CASE("A child made by fork opens the file for itself, while its parent's goes on") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    Environment parent(directory.path(), to_write);
    const ReadTransaction held = parent.read();
    CHECK(in_child([&] {
              Environment child(directory.path(), to_write);
              put(child, 3, "from the child");
              if (child.read().row(3) != "from the child") return 1;
              return raised([&] { static_cast<void>(parent.read()); }).code == Errc::forked ? 0 : 2;
          }) == 0);
    CHECK(held.row(3) == row_of(3));
    CHECK(parent.read().row(3) == "from the child");
    put(parent, 3, "from the parent");
    CHECK(Environment(directory.path(), to_read).read().row(3) == "from the parent");
}

TEST_CASE("After a failed sync readers of the process are told too, until someone opens the file anew") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    const Environment reader(directory.path(), to_read);
    std::optional<Environment> writer(std::in_place, directory.path(), to_write);
    {
        const FileFaults faults(FileCall::sync, 1, EIO);
        CHECK(raised([&] { put(*writer, 3, "lost"); }).code == Errc::io);
    }
    CHECK(raised([&] { static_cast<void>(reader.read()); }).code == Errc::poisoned);
    // Another handle changes nothing while the writer lives: what it knows and what the disk holds may differ.
    CHECK(raised([&] { static_cast<void>(Environment(directory.path(), to_read).read()); }).code == Errc::poisoned);
    writer.reset();
    writer.emplace(directory.path(), to_write);
    CHECK(reader.read().row(4) == row_of(4));
    put(*writer, 3, "kept");
    CHECK(reader.read().row(3) == "kept");
}

TEST_CASE("A reader process follows the writer's file past its own map") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    const Environment reader(directory.path(), to_read, 1);  // the least there is: 16 MiB
    CHECK(reader.read().row(3) == row_of(3));
    CHECK(in_child([&] {
              Environment writer(directory.path(), to_write, 1);
              for (std::uint64_t id = 100; id < 140; ++id) {
                  put(writer, id, std::string(1 << 20, static_cast<char>('a' + id % 26)));
              }
              return 0;
          }) == 0);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (std::uint64_t id = 100; id < 140; ++id) {
                wrong += reader.read().row(id) != std::string(1 << 20, static_cast<char>('a' + id % 26));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(reader.stats().map_bytes >= reader.stats().file_bytes);
}

TEST_CASE("Opening beside a process that commits all the time finds a whole file, and whole commits") {
    const TemporaryDirectory directory;
    {
        Environment made(directory.path(), EnvironmentMode::create);
        made.write([](WriteTransaction& changes) {
            for (std::uint64_t id = 0; id < 40; ++id) changes.put_row(id, "0" + std::string(id * 200, '.'));
        });
    }
    OtherProcess writer([&](OtherProcess::Line& line) {
        const FileFaults quick = FileFaults::no_syncs();
        Environment environment(directory.path(), to_write);
        for (int round = 0; !line.asked_to_stop(); ++round) {
            // Pages that a reader keeps are not used again, and a reader may be kept waiting for long.
            if (environment.stats().file_bytes > std::uint64_t{32} << 20) continue;
            environment.write([&](WriteTransaction& changes) {
                for (std::uint64_t id = 0; id < 40; ++id) {
                    changes.put_row(id, std::to_string(round % 10) + std::string(id * 200, '.'));
                }
            });
        }
        return 0;
    });
    for (int opening = 0; opening < 200; ++opening) {
        const Environment environment(directory.path(), to_read);
        const ReadTransaction reader = environment.read();
        const char first = reader.row(0)->front();
        for (std::uint64_t id = 1; id < 40; ++id) {
            REQUIRE(reader.row(id)->size() == id * 200 + 1);
            REQUIRE(reader.row(id)->front() == first);
        }
    }
    CHECK(writer.stop() == 0);
}

TEST_CASE("The place of a killed reader is cleared, and the pages it kept are used again") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 2000);
    Environment writer(directory.path(), to_write);
    const auto rewrite = [&](int times) {
        for (int round = 0; round < times; ++round) {
            writer.write([&](WriteTransaction& changes) {
                for (std::uint64_t id = 0; id < 2000; ++id) changes.put_row(id, row_of(id));
            });
        }
        return writer.stats().file_bytes;
    };
    rewrite(4);  // finds its level
    const std::uint64_t level = rewrite(4);
    OtherProcess reader([&](OtherProcess::Line& line) {
        const Environment environment(directory.path(), to_read);
        const ReadTransaction held = environment.read();
        line.report();
        line.wait_for_stop();
        return 0;
    });
    reader.await_report();
    const std::uint64_t grown = rewrite(10);
    CHECK(grown > 2 * level);
    const auto held = writer.stats();
    REQUIRE(held.oldest_reader.has_value());
    CHECK(held.oldest_reader->process == reader.number());
    CHECK(held.oldest_reader->commits_behind == 10);
    reader.kill();
    rewrite(1);
    CHECK(writer.stats().readers == 0);
    CHECK(rewrite(20) <= grown + level);
}

TEST_CASE("Where somebody reads at every moment, but nobody past a commit, the file stays as long as it is") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 500);
    Environment writer(directory.path(), to_write);
    std::optional<ReadTransaction> reader = writer.read();
    const auto rewrite = [&](int times) {
        for (int round = 0; round < times; ++round) {
            writer.write([&](WriteTransaction& changes) {
                for (std::uint64_t id = 0; id < 500; ++id) changes.put_row(id, row_of(id));
            });
            std::optional<ReadTransaction> next = writer.read();
            reader.swap(next);
        }
        return writer.stats().file_bytes;
    };
    const std::uint64_t level = rewrite(10);
    CHECK(rewrite(300) == level);
    // One that stays is what makes it grow.
    const ReadTransaction stays = writer.read();
    CHECK(rewrite(30) > 3 * level);
}

TEST_CASE("More readers than there are places are refused, and places of the dead are given anew") {
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 10);
    const auto take_all = [](const Environment& environment, std::vector<ReadTransaction>& taken) {
        return raised([&] {
            for (int reader = 0; reader < 2000; ++reader) taken.push_back(environment.read());
        });
    };
    const Environment environment(directory.path(), to_read);
    {
        std::vector<ReadTransaction> taken;
        CHECK(take_all(environment, taken).code == Errc::limit_exceeded);
        CHECK(taken.size() >= 1024);
        CHECK(taken.back().row(3) == row_of(3));
    }
    const TemporaryDirectory crowded;
    fill_rows(crowded.path(), 10);
    OtherProcess holder([&](OtherProcess::Line& line) {
        const Environment own(crowded.path(), to_read);
        std::vector<ReadTransaction> taken;
        const bool full = take_all(own, taken).code == Errc::limit_exceeded;
        line.report();
        line.wait_for_stop();
        return full ? 0 : 1;
    });
    holder.await_report();
    const kith_test::Raised refused = raised([&] { static_cast<void>(Environment(crowded.path(), to_read)); });
    CHECK(refused.code == Errc::limit_exceeded);
    holder.kill();
    const Environment after(crowded.path(), to_read);
    CHECK(after.read().row(3) == row_of(3));
}
