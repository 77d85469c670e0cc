// tests/collection/damage_test.cpp — every kind of file flipped, cut and swapped: named, or of no effect; never wrong.
#include "essay.hpp"

#include "kith/storage/environment.hpp"

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/file_faults.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using kith::OpenMode;
using kith_test::bytes_of;
using kith_test::ChildSaid;
using kith_test::copy_collection;
using kith_test::essay;
using kith_test::Essays;
using kith_test::FileFaults;
using kith_test::flipped;
using kith_test::in_child_process;
using kith_test::make_essays;
using kith_test::opened_and_judged;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

/// Files of a collection by kind, relative to it: all logs are one kind, and so is each kind of a segment's files.
std::map<std::string, std::vector<fs::path>> files_by_kind(const fs::path& collection) {
    std::map<std::string, std::vector<fs::path>> kinds;
    for (const auto& entry : fs::recursive_directory_iterator(collection)) {
        if (!entry.is_regular_file()) continue;
        const fs::path name = entry.path().lexically_relative(collection);
        const fs::path ending = name.extension();
        const bool by_ending = ending == ".log" || ending == ".rows" || ending == ".graph";
        kinds[by_ending ? ending.string() : name.filename().string()].push_back(name);
    }
    for (auto& [kind, files] : kinds) std::sort(files.begin(), files.end());
    return kinds;
}

/// Holds locks and readers of processes that run, nothing that outlives them.
bool is_lock(const std::string& kind) {
    return kind == "LOCK" || kind == "lock.mdb";
}

/// A collection, a place for its copies, and what became of those that were judged.
class Trials {
public:
    Trials() { make_essays(original()); }

    [[nodiscard]] fs::path original() const { return directory_ / "original.kith"; }
    [[nodiscard]] fs::path copy() const { return directory_ / "copy.kith"; }

    /// Judges a copy after `spoil(copy)`, as a writer or a reader opens it, in a child.
    template <class Spoil>
    ChildSaid judge(OpenMode mode, Spoil&& spoil) const {
        copy_collection(original(), copy());
        spoil(copy());
        return in_child_process([&] { return opened_and_judged(copy(), mode); });
    }

private:
    FileFaults quick_ = FileFaults::no_syncs();
    TemporaryDirectory directory_;
};

struct Tally {
    int right = 0, refused = 0, prefixes = 0, missing = 0, ended = 0;
};

/// Counts what came of one damaged file, and complains of what must never come.
void count(Tally& tally, const std::string& kind, const fs::path& file, const ChildSaid& said) {
    INFO(kind << ": " << said.complaint);
    const std::string name = file.filename().string();
    if (said.signal != 0) {
        CHECK(kind == "data.mdb");  // see docs/format.md: LMDB follows the offsets in its pages
        ++tally.ended;
    } else if (said.begins("refused: ")) {
        CHECK_FALSE(is_lock(kind));
        CHECK(said.says(name));
        CHECK((said.begins("refused: corrupt") || said.begins("refused: unsupported_version") ||
               said.begins("refused: not_a_collection")));
        ++tally.refused;
    } else if (said.begins("prefix: ")) {
        CHECK(kind == ".log");
        CHECK(said.says(name));
        ++tally.prefixes;
    } else if (said.begins("missing: ")) {
        CHECK(kind == "data.mdb");  // a bit above the leaves hides keys: docs/format.md says so
        ++tally.missing;
    } else {
        CHECK(said.complaint == "right");
        ++tally.right;
    }
}

void show(const std::string& kind, const Tally& tally) {
    UNSCOPED_INFO(kind << ": right " << tally.right << ", refused " << tally.refused << ", prefixes " << tally.prefixes
                       << ", missing " << tally.missing << ", ended " << tally.ended);
}

}  // namespace

TEST_CASE("The judge of damage finds an undamaged collection right") {
    const Trials trials;
    for (const OpenMode mode : {OpenMode::read_only, OpenMode::open}) {
        CHECK(trials.judge(mode, [](const fs::path&) {}).complaint == "right");
    }
    const auto kinds = files_by_kind(trials.original());
    for (const char* kind : {"IDENTITY", "LOCK", "data.mdb", ".log", ".rows", ".graph"}) CHECK(kinds.contains(kind));
    CHECK(kinds.at(".rows").size() >= 6);
}

TEST_CASE("A bit flipped in any kind of file is refused by the file's name or has no effect, 300 times each") {
    const Trials trials;
    for (const auto& [kind, files] : files_by_kind(trials.original())) {
        kith::SplitMix64 random(files.size() + kind.size());
        Tally tally;
        for (int trial = 0; trial < 300; ++trial) {
            const fs::path& file = files[random() % files.size()];
            const std::string whole = bytes_of(trials.original() / file);
            if (whole.empty()) continue;
            const std::size_t offset = random() % whole.size();
            const unsigned bit = 1U << (random() % 8);
            CAPTURE(file.string(), offset, bit);
            const OpenMode mode = trial % 2 == 0 ? OpenMode::read_only : OpenMode::open;
            count(tally, kind, file, trials.judge(mode, [&](const fs::path& copy) {
                set_bytes(copy / file, flipped(whole, offset, bit));
            }));
        }
        show(kind, tally);
        if (kind == "IDENTITY" || kind == ".rows" || kind == ".graph") CHECK(tally.refused == 300);
        CHECK(tally.ended <= 6);
        CHECK(tally.missing <= 6);
    }
}

TEST_CASE("A bit flipped in the state record, with the deleted slots in it, is always found") {
    const Trials trials;
    std::string record;
    {
        const kith::detail::Environment environment(trials.original() / "forward",
                                                    kith::detail::EnvironmentMode::read_only);
        const auto reader = environment.read();
        const auto state = reader.state("checkpoint");
        REQUIRE(state.has_value());
        record = *state;
    }
    REQUIRE(record.size() > 100);  // the bitmaps of two segments are in it
    const fs::path file = fs::path("forward") / "data.mdb";
    const std::string whole = bytes_of(trials.original() / file);
    std::vector<std::size_t> places;
    for (std::size_t at = whole.find(record); at != std::string::npos; at = whole.find(record, at + 1)) {
        places.push_back(at);
    }
    REQUIRE_FALSE(places.empty());
    kith::SplitMix64 random(5);
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t offset = random() % (record.size() + 4);  // and its checksum
        const unsigned bit = 1U << (random() % 8);
        const ChildSaid said = trials.judge(OpenMode::open, [&](const fs::path& copy) {
            std::string damaged = whole;
            for (const std::size_t at : places) damaged = flipped(damaged, at + offset, bit);
            set_bytes(copy / file, damaged);
        });
        CAPTURE(offset, bit, said.complaint);
        REQUIRE(said.begins("refused: corrupt"));
        REQUIRE(said.says("data.mdb"));
    }
}

TEST_CASE("Any file cut to nothing, to a byte, to half or by a byte is refused by name, without a signal") {
    const Trials trials;
    for (const auto& [kind, files] : files_by_kind(trials.original())) {
        for (const fs::path& file : files) {
            const std::uintmax_t size = fs::file_size(trials.original() / file);
            for (const std::uintmax_t left : {std::uintmax_t{0}, std::uintmax_t{1}, size / 2, size - 1}) {
                if (left >= size) continue;
                for (const OpenMode mode : {OpenMode::read_only, OpenMode::open}) {
                    CAPTURE(file.string(), left, size);
                    Tally tally;
                    const ChildSaid said =
                        trials.judge(mode, [&](const fs::path& copy) { fs::resize_file(copy / file, left); });
                    count(tally, kind, file, said);
                    CHECK(tally.ended == 0);
                    CHECK(tally.missing == 0);
                    // What LMDB's last page has past its last value may be cut off unseen.
                    if (!is_lock(kind) && kind != "data.mdb") CHECK(tally.right == 0);
                }
            }
        }
    }
}

TEST_CASE("A file that is missing is named") {
    const Trials trials;
    for (const auto& [kind, files] : files_by_kind(trials.original())) {
        for (const fs::path& file : files) {
            const ChildSaid said = trials.judge(OpenMode::open, [&](const fs::path& copy) { fs::remove(copy / file); });
            CAPTURE(file.string(), said.complaint);
            // A graph is made again from the vectors, and indexes and columns from the rows.
            const bool derived = kind == ".graph" || file.extension() == ".index" || file.filename() == "columns";
            if (is_lock(kind) || derived) {
                CHECK(said.complaint == "right");
            } else {
                CHECK(said.begins("refused: "));
                CHECK(said.says(kind == ".log" ? "log" : file.filename().string()));
            }
        }
    }
}

TEST_CASE("Files of two segments, or two files of one, that changed places are refused") {
    const Trials trials;
    const auto kinds = files_by_kind(trials.original());
    std::vector<fs::path> files;
    for (const auto& [kind, of_kind] : kinds) {
        for (const fs::path& file : of_kind) {
            if (*file.begin() == "segments") files.push_back(file);
        }
    }
    REQUIRE(files.size() >= 12);
    kith::SplitMix64 random(3);
    for (int trial = 0; trial < 40; ++trial) {
        const fs::path& one = files[random() % files.size()];
        const fs::path& other = files[random() % files.size()];
        if (one == other) continue;
        const ChildSaid said = trials.judge(OpenMode::open, [&](const fs::path& copy) {
            fs::rename(copy / one, copy / "aside");
            fs::rename(copy / other, copy / one);
            fs::rename(copy / "aside", copy / other);
        });
        CAPTURE(one.string(), other.string(), said.complaint);
        CHECK(said.begins("refused: corrupt"));
        CHECK((said.says(one.filename().string()) || said.says(other.filename().string())));
    }
}

TEST_CASE("A file of another collection with the same records is refused, whichever it is") {
    const Trials trials;
    const Trials others;
    for (const auto& [kind, files] : files_by_kind(trials.original())) {
        if (is_lock(kind)) continue;
        for (const fs::path& file : files) {
            if (!fs::exists(others.original() / file)) continue;
            const ChildSaid said = trials.judge(OpenMode::open, [&](const fs::path& copy) {
                set_bytes(copy / file, bytes_of(others.original() / file));
            });
            CAPTURE(file.string(), said.complaint);
            CHECK(said.begins("refused: corrupt"));
            CHECK(said.says("another collection"));
        }
    }
}
