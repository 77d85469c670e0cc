// tests/collection/conditions_files_test.cpp — columns and indexes may be missing, of another schema, or damaged: a
// condition finds the same, or says which file is not as it was written; never anything wrong.
#include "things.hpp"

#include "kith/collection/repair.hpp"
#include "kith/collection/verify.hpp"

#include "damage_fixture.hpp"
#include "settings.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"
#include "support/segment_bytes.hpp"
#include "support/temporary_directory.hpp"

#include <set>
#include <string>
#include <vector>

using kith::Collection;
using kith::DamageKind;
using kith::Errc;
using kith_test::Asked;
using kith_test::bytes_of;
using kith_test::compare;
using kith_test::erase_things;
using kith_test::FileFaults;
using kith_test::flipped;
using kith_test::listed;
using kith_test::matching;
using kith_test::Model;
using kith_test::on_call;
using kith_test::OtherThings;
using kith_test::Raised;
using kith_test::raised;
using kith_test::set_bytes;
using kith_test::sorted;
using kith_test::TemporaryDirectory;
using kith_test::Thing;
using kith_test::ThingMaker;
using kith_test::Things;
using kith_test::write_things;

namespace {

namespace fs = std::filesystem;

/// OtherThings whose notes are also found by their end and by what is in them.
using EndedThings =
    kith::Schema<Thing, kith::Key<&Thing::key>, kith::Field<&Thing::small, kith::indexed>,
                 kith::Field<&Thing::size, kith::indexed>, kith::Field<&Thing::price, kith::indexed>,
                 kith::Field<&Thing::note, kith::Indexed{.suffixes = true, .substrings = true}>,
                 kith::Field<&Thing::tags, kith::Indexed{.substrings = true}>, kith::Field<&Thing::code, kith::indexed>,
                 kith::VectorField<&Thing::place, kith::L2, kith::Hnsw<kith::HnswParams{.max_links = 6}>>>;

kith::Options in_segments_of(kith::Slot records) {
    kith::Options options = on_call();
    options.segment_capacity = records;
    return options;
}

/// Files of columns and indexes, "segment/name", in order.
std::vector<fs::path> scalar_files(const fs::path& path) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(path / "segments")) {
        const bool index = entry.path().extension() == ".index";
        if (index || entry.path().filename() == "columns") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// The names of such files, without their segments.
std::set<std::string> scalar_names(const fs::path& path) {
    std::set<std::string> names;
    for (const fs::path& file : scalar_files(path)) names.insert(file.filename().string());
    return names;
}

const std::set<std::string> names_of_things{"columns",     "large.index", "maybe.index", "marks.index",
                                            "note.index",  "open.index",  "seen.index",  "shade.index",
                                            "small.index", "tags.index",  "weight.index"};

/// What a file of columns says of a field, as bytes: see docs/format.md.
struct Description {
    std::string* file;
    std::size_t at = 0;

    [[nodiscard]] char& flags() const { return (*file)[at + 5]; }
    [[nodiscard]] char& form() const { return (*file)[at + 6]; }
};

Description description_of(std::string& file, std::string_view field) {
    std::uint64_t payload = 0;
    std::uint32_t columns = 0;
    REQUIRE(kith::ByteReader(std::string_view(file).substr(36)).u64(payload));
    REQUIRE(kith::ByteReader(std::string_view(file).substr(4096 + 12)).u32(columns));
    const std::size_t first = 4096 + static_cast<std::size_t>(payload) - 8 - std::size_t{64} * columns;
    for (std::uint32_t column = 0; column < columns; ++column) {
        std::uint32_t place = 0;
        const std::size_t at = first + std::size_t{64} * column;
        REQUIRE(kith::ByteReader(std::string_view(file).substr(at)).u32(place));
        if (Things::fields[place].name == field) return {&file, at};
    }
    FAIL("no column of " << field);
    return {&file};
}

/// A collection of two sealed segments, one with deletes.
Model make_things(const fs::path& path, ThingMaker& maker, int count) {
    Model model;
    Collection<Things> collection(path, in_segments_of(static_cast<kith::Slot>(count)));
    write_things(collection, model, maker, 0, count);
    collection.checkpoint();
    write_things(collection, model, maker, count - 20, count / 2);
    collection.checkpoint();
    return model;
}

}  // namespace

TEST_CASE("A schema with other indexes opens the same files, finds the same, and compact makes what it lacks") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(11);
    const std::vector<Asked> conditions = maker.conditions(80);
    Model model = make_things(path, maker, 300);
    CHECK(scalar_names(path) == names_of_things);
    {
        Collection<OtherThings> other(path, on_call());
        compare(other, model, conditions);
        write_things(other, model, maker, 5000, 40);
        compare(other, model, conditions);  // segments with other indexes side by side
        other.compact();
        compare(other, model, conditions);
        CHECK(scalar_names(path) == std::set<std::string>{"code.index", "columns", "note.index", "price.index",
                                                          "size.index", "small.index", "tags.index"});
    }
    compare(Collection<OtherThings>(path, on_call()), model, conditions);
    CHECK(kith::verify(path).clean());
    Collection<Things> again(path, on_call());
    compare(again, model, conditions);
    again.compact();
    CHECK(scalar_names(path) == names_of_things);
    compare(again, model, conditions);
}

TEST_CASE("An index that is asked for more than it has is made again by a merge") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    const auto parts_of_note = [&] {  // docs/format.md: the flags of an index, behind the header of its file
        std::set<int> parts;
        for (const fs::path& file : scalar_files(path)) {
            if (file.filename() == "note.index") parts.insert(bytes_of(file).at(4096 + 13) & 6);
        }
        return parts;
    };
    ThingMaker maker(15);
    Model model;
    {
        Collection<OtherThings> plain(path, on_call());
        write_things(plain, model, maker, 0, 200);
        plain.checkpoint();
        CHECK(parts_of_note() == std::set<int>{0});
    }
    const std::vector<Asked> conditions = maker.conditions(30);
    Collection<EndedThings> by_ends(path, on_call());
    compare(by_ends, model, conditions);
    by_ends.compact();
    CHECK(parts_of_note() == std::set<int>{6});
    compare(by_ends, model, conditions);
    by_ends.close();
    Collection<OtherThings>(path, on_call()).compact();  // nothing is missing
    CHECK(parts_of_note() == std::set<int>{6});
}

TEST_CASE("Columns and indexes that were removed are done without, and made again by a merge") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(12);
    const std::vector<Asked> conditions = maker.conditions(60);
    const Model model = make_things(path, maker, 300);
    const auto files = kith_test::all_bytes(path);
    const auto without = [&](auto&& is_gone) {
        kith_test::restore(path, files);
        std::set<std::string> gone;
        const fs::path first = scalar_files(path).front();
        for (const fs::path& file : scalar_files(path)) {
            if (is_gone(file, first)) gone.insert(file.string());
        }
        for (const std::string& file : gone) fs::remove(file);
        CHECK_FALSE(gone.empty());
        const kith::VerifyReport report = kith::verify(path);
        INFO(listed(report));
        CHECK(report.clean());
        std::set<std::string> remarked;
        for (const kith::Damage& remark : report.remarks) {
            CHECK(remark.kind == DamageKind::missing_file);
            remarked.insert(remark.file);
        }
        CHECK(remarked == gone);
        Collection<Things> collection(path, on_call());
        compare(collection, model, conditions);
        collection.compact();
        compare(collection, model, conditions);
        CHECK(scalar_names(path) == names_of_things);
        collection.close();
        CHECK(kith::verify(path).remarks.empty());
    };
    SECTION("all columns") {
        without([](const fs::path& file, const fs::path&) { return file.filename() == "columns"; });
    }
    SECTION("the columns of one segment") {
        without([](const fs::path& file, const fs::path& first) { return file == first; });
    }
    SECTION("indexes") {
        without([](const fs::path& file, const fs::path&) { return file.stem() == "note" || file.stem() == "seen"; });
    }
    SECTION("all indexes") {
        without([](const fs::path& file, const fs::path&) { return file.extension() == ".index"; });
    }
    SECTION("all") {
        without([](const fs::path&, const fs::path&) { return true; });
    }
}

TEST_CASE("A damaged column or index is named when it is first asked, and never answers") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(13);
    const Model model = make_things(path, maker, 60);
    const std::vector<Asked> conditions{
        {"small", kith::field<&Thing::small> >= 0},
        {"note", has_prefix(kith::field<&Thing::note>, "a")},
        {"code", kith::field<&Thing::code> > 100u},
        {"json", kith::parse_condition<Thing>("more is not null and not more.a = 1")},
    };
    std::vector<std::vector<std::string>> expected;
    for (const Asked& asked : conditions) expected.push_back(matching(model, asked.condition));
    std::size_t refused = 0;
    for (const fs::path& file : scalar_files(path)) {
        const std::string whole = bytes_of(file);
        // The header of the file, that of the image, its parts, and the checksums at the end; the other bytes up to the
        // image are zeros.
        std::vector<std::size_t> places{0, 9, 30, 40, 50, 100, 4094};
        for (std::size_t at = 4096; at < whole.size(); at += 37) places.push_back(at);
        places.push_back(whole.size() - 1);
        for (const std::size_t at : places) {
            INFO("byte " << at << " of " << file.string());
            set_bytes(file, flipped(whole, at, 1u << (at % 8)));
            std::set<std::string> answered;
            const auto says_so = [&](const Raised& error) {
                if (!error.code.has_value()) return false;
                if (error.code != Errc::corrupt || !error.says(file.string())) FAIL(error.text);
                return true;
            };
            const Raised opening = raised([&] {
                const Collection<Things> collection(path, kith_test::to_read());
                for (std::size_t asked = 0; asked < conditions.size(); ++asked) {
                    const Raised one = raised([&] {
                        const auto keys = sorted(collection.where(conditions[asked].condition).keys());
                        if (keys != expected[asked]) FAIL("a wrong answer");
                        answered.insert(conditions[asked].text);
                    });
                    static_cast<void>(says_so(one));
                }
            });
            if (says_so(opening)) {
                ++refused;
                continue;
            }
            // Whoever asks about the field is told; who asks about others need not be. One block holds all columns here,
            // and two of the conditions have nothing else.
            const bool columns = file.filename() == "columns";
            const bool missed = columns ? answered.count("code") + answered.count("json") > 0
                                        : answered.count(file.stem().string()) > 0;
            if (missed) FAIL("not noticed");
            refused += answered.size() < conditions.size() ? 1U : 0U;
        }
        set_bytes(file, whole);
    }
    CHECK(refused > 200);
}

TEST_CASE("Damage in the index of one field keeps nobody from asking about others") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(16);
    const Model model = make_things(path, maker, 60);
    for (const fs::path& file : scalar_files(path)) {
        if (file.filename() != "note.index") continue;
        const std::string whole = bytes_of(file);
        set_bytes(file, flipped(whole, whole.size() - 8));  // behind what opening reads
    }
    const Collection<Things> collection(path, kith_test::to_read());
    const kith::Condition<Thing> small = kith::field<&Thing::small> >= 0;
    const kith::Condition<Thing> note = has_prefix(kith::field<&Thing::note>, "a");
    CHECK(sorted(collection.where(small).keys()) == matching(model, small));
    for (const kith::Condition<Thing>& asked : {note, small && note, note || small}) {
        const Raised error = raised([&] { static_cast<void>(collection.where(asked).keys()); });
        CHECK(error.code == Errc::corrupt);
        CHECK(error.says("note.index"));
    }
    CHECK(sorted(collection.where(small).keys()) == matching(model, small));
}

TEST_CASE("What a format had no room for is done without, named by verify, and not tried again for its own sake") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(17);
    Model model = make_things(path, maker, 200);
    const std::vector<Asked> conditions = maker.conditions(60);
    Collection<Things>(path, on_call()).compact();
    const fs::path columns = scalar_files(path).front();
    REQUIRE(columns.filename() == "columns");
    std::string bytes = bytes_of(columns);
    REQUIRE((description_of(bytes, "note").flags() & 12) == 4);
    description_of(bytes, "note").flags() ^= 12;
    description_of(bytes, "code").form() = 5;
    set_bytes(columns, kith_test::with_right_checksums(bytes));
    fs::remove(columns.parent_path() / "note.index");

    const kith::VerifyReport report = kith::verify(path);
    INFO(listed(report));
    CHECK(report.clean());
    REQUIRE(report.remarks.size() == 2);
    for (const kith::Damage& remark : report.remarks) {
        CHECK(remark.kind == DamageKind::segment_scalars);
        CHECK(remark.what.find("passes a limit of the format and was left out") != std::string::npos);
    }
    Collection<Things> collection(path, on_call());
    compare(collection, model, conditions);
    collection.compact();
    CHECK(scalar_files(path).front() == columns);  // nothing was made
    compare(collection, model, conditions);
    write_things(collection, model, maker, 1000, 20);
    collection.compact();  // a merge for another reason tries again
    CHECK(scalar_names(path) == names_of_things);
    compare(collection, model, conditions);
    collection.close();
    CHECK(kith::verify(path).remarks.empty());
}

TEST_CASE("A damaged column or index is named by verify, and left out by repair") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(14);
    const std::vector<Asked> conditions = maker.conditions(30);
    const Model model = make_things(path, maker, 200);
    int number = 0;
    for (const fs::path& file : scalar_files(path)) {
        INFO(file.string());
        const std::string whole = bytes_of(file);
        set_bytes(file, flipped(whole, 4096 + (whole.size() - 4096) / 2));
        const kith::VerifyReport report = kith::verify(path);
        INFO(listed(report));
        REQUIRE(report.damages.size() == 1);
        CHECK(report.damages[0].kind == DamageKind::segment_scalars);
        CHECK(report.damages[0].loss == kith::Loss::derived);
        CHECK(report.damages[0].file == file.string());
        const auto repaired = directory / ("repaired-" + std::to_string(++number));
        const kith::RepairReport mended = kith::repair(path, {.destination = repaired});
        CHECK(mended.lost_records.empty());
        CHECK_FALSE(fs::exists(repaired / fs::relative(file, path)));
        CHECK(kith::verify(repaired).clean());
        Collection<Things> collection(repaired, on_call());
        compare(collection, model, conditions);
        collection.compact();
        compare(collection, model, conditions);
        CHECK(scalar_names(repaired) == names_of_things);
        set_bytes(file, whole);
    }
}
