// tests/storage/environment_damage_test.cpp — no damage passes for data, and a disk that fails costs one commit at
// most.
#include "storage/environment_fixture.hpp"

#include "kith/core/random.hpp"

#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

#include <sys/resource.h>
#include <cerrno>
#include <string>
#include <vector>

using kith::Errc;
using kith_test::bytes_of;
using kith_test::Environment;
using kith_test::EnvironmentMode;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::fill_rows;
using kith_test::flipped;
using kith_test::in_child;
using kith_test::open_trouble;
using kith_test::Raised;
using kith_test::raised;
using kith_test::ReadTransaction;
using kith_test::row_of;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;
using kith_test::WriteTransaction;

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

// LMDB follows the offsets inside its pages unchecked, so a few of these flips end the process: never more than that.
TEST_CASE("A flipped bit in a data file is an error or has no effect; wrong data is never read") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 150);
    const auto file = directory / "data.mdb";
    const std::string whole = bytes_of(file);
    kith::SplitMix64 random(11);
    int found = 0;
    int ended = 0;
    for (int trial = 0; trial < 400; ++trial) {
        const std::size_t offset = random() % whole.size();
        set_bytes(file, flipped(whole, offset, 1U << (random() % 8)));
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
        CAPTURE(trial, offset);
        CHECK(outcome != 2);
        found += outcome == 1;
        ended += outcome > 2;
    }
    CHECK(ended <= 8);
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

TEST_CASE("A key that rotted is an error to look up, not a key that was never there") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    fill_rows(directory.path(), 60);
    const auto file = directory / "data.mdb";
    const std::string whole = bytes_of(file);
    for (const std::string key : {"key-0", "key-27", "key-9"}) {  // the first of all, one between others, the last
        std::vector<std::size_t> places;  // an LMDB node holds the length of its key, then the key
        const std::string stored = static_cast<char>(key.size()) + std::string(1, '\0') + key;
        for (std::size_t at = whole.find(stored); at != std::string::npos; at = whole.find(stored, at + 1)) {
            places.push_back(at + 2);
        }
        REQUIRE_FALSE(places.empty());
        for (std::size_t bit = 0; bit < 8 * key.size(); ++bit) {
            std::string damaged = whole;
            for (const std::size_t at : places) damaged = flipped(damaged, at + bit / 8, 1U << (bit % 8));
            set_bytes(file, damaged);
            const Environment environment(directory.path(), EnvironmentMode::read_only);
            const ReadTransaction reader = environment.read();
            const Raised trouble = raised([&] { static_cast<void>(reader.key(key)); });
            CAPTURE(key, bit);
            CHECK(trouble.code == Errc::corrupt);
            CHECK(trouble.says("its checksum is wrong"));
        }
    }
}

TEST_CASE("A right value under another key, and one that leaves the file, are refused") {
    const TemporaryDirectory directory;
    {
        Environment environment(directory.path(), EnvironmentMode::create);
        environment.write([](WriteTransaction& changes) {
            changes.put_row(1, "the first of two");
            changes.put_row(2, "the other of two");
            changes.put_row(3, std::string(9000, 'l'));
        });
    }
    const auto file = directory / "data.mdb";
    const std::string whole = bytes_of(file);
    const auto trouble_with = [&](std::uint64_t id) {
        return raised(
            [&] { static_cast<void>(Environment(directory.path(), EnvironmentMode::read_only).read().row(id)); });
    };
    const std::size_t stored_bytes = 16 + 4;
    const std::size_t first = whole.find("the first of two");
    const std::size_t other = whole.find("the other of two");
    REQUIRE(whole.find("the first of two", first + 1) == std::string::npos);
    std::string swapped = whole;
    swapped.replace(first, stored_bytes, whole, other, stored_bytes);
    swapped.replace(other, stored_bytes, whole, first, stored_bytes);
    set_bytes(file, swapped);
    CHECK(trouble_with(1).says("row 1: its checksum is wrong"));
    CHECK(trouble_with(2).says("row 2: its checksum is wrong"));
    CHECK_FALSE(trouble_with(3).code.has_value());

    // The size of a long value stands in the four bytes before: u16 flags (1), u16 key bytes (8), the key.
    const std::size_t key = whole.find(std::string("\1\0\10\0\0\0\0\0\0\0\0\3", 12));
    REQUIRE(key != std::string::npos);
    set_bytes(file, flipped(whole, key - 2, 0x40));
    CHECK(in_child([&] { return trouble_with(3).says("row 3: its value does not lie in the file") ? 0 : 1; }) == 0);
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

TEST_CASE("Whichever write of a commit finds the disk full, the environment goes on, or is poisoned from then on") {
    if (!FileFaults::work()) return;
    int poisoned = 0, went_on = 0;
    for (int first = 1; first < 100; ++first) {
        const TemporaryDirectory directory;
        fill_rows(directory.path(), 50);
        Environment environment(directory.path(), EnvironmentMode::read_write);
        const auto write = [&] { environment.write([](WriteTransaction& changes) { changes.put_row(7, "new"); }); };
        {
            const FileFaults full(FileCall::write, first, ENOSPC);
            const Raised trouble = raised(write);
            if (FileFaults::calls(FileCall::write) < first) break;
            CHECK(trouble.code == Errc::disk_full);
        }
        CAPTURE(first);
        if (environment.poisoned()) {  // before anybody asks it for anything
            CHECK(raised(write).code == Errc::poisoned);
            CHECK(raised([&] { static_cast<void>(environment.read()); }).code == Errc::poisoned);
            ++poisoned;
        } else {
            CHECK(environment.read().row(7) == row_of(7));
            write();
            CHECK(environment.read().row(7) == "new");
            ++went_on;
        }
    }
    CHECK(poisoned == 1);  // by the page that commits
    CHECK(went_on >= 1);
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
    Environment environment(directory.path(), EnvironmentMode::read_write);
    environment.write([](WriteTransaction& changes) { changes.put_row(4, "newer"); });
    CHECK(environment.read().row(3) == row_of(3));
    CHECK(environment.read().row(4) == "newer");
}
