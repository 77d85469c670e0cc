// tests/collection/surroundings_test.cpp — clocks that jump, time zones, locales and instruction sets: the same bytes,
// the same answers.
#include "essay.hpp"

#include "kith/core/crc32c.hpp"
#include "kith/distance/cpu.hpp"

#include "support/available_isas.hpp"
#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/file_faults.hpp"

#include <time.h>

#include <atomic>
#include <clocale>
#include <cstdlib>
#include <locale>
#include <map>
#include <string>
#include <vector>

using kith::Collection;
using kith_test::bytes_of;
using kith_test::ChildSaid;
using kith_test::essay;
using kith_test::Essay;
using kith_test::essay_id;
using kith_test::essays;
using kith_test::Essays;
using kith_test::FileFaults;
using kith_test::in_child_process;
using kith_test::judged;
using kith_test::make_essays;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

/// Numbers with a decimal comma and dots between thousands, on systems without German, too.
struct Comma : std::numpunct<char> {
    [[nodiscard]] char do_decimal_point() const override { return ','; }
    [[nodiscard]] char do_thousands_sep() const override { return '.'; }
    [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

void live_in_germany() {
    std::locale::global(std::locale(std::locale::classic(), new Comma));
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8"}) {
        if (std::setlocale(LC_ALL, name) != nullptr) break;
    }
    ::setenv("TZ", "Asia/Kathmandu", 1);
    ::tzset();
}

/// The payloads of all segment files, and what the collection says in words and numbers.
std::map<std::string, std::string> made_and_told(const fs::path& path) {
    make_essays(path);
    std::map<std::string, std::string> told;
    constexpr std::size_t header = 4096;  // holds the id, which is another for each collection
    for (const auto& entry : fs::recursive_directory_iterator(path / "segments")) {
        if (!entry.is_regular_file()) continue;
        const std::string bytes = bytes_of(entry.path());
        told[entry.path().lexically_relative(path).string()] = bytes.substr(header);
    }
    Collection<Essays> collection(path);
    told["judged"] = judged(collection);
    told["plan"] = collection.nearest<&Essay::meaning>(essay(3).meaning).limit(5).recall(0.975).explain().text();
    try {
        Essay bad = essay(5000);
        bad.place[2] = 1e30F;
        collection.insert(bad);
    } catch (const kith::Error& error) {
        told["error"] = error.what();
    }
    return told;
}

std::string joined(const std::map<std::string, std::string>& told) {
    std::string text;
    for (const auto& [name, value] : told) text += name + '=' + std::to_string(kith::crc32c(value)) + '\n';
    return text + told.at("plan") + told.at("error") + told.at("judged");
}

}  // namespace

TEST_CASE("A locale with decimal commas and another time zone change neither bytes nor words") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const ChildSaid here = in_child_process([&] { return joined(made_and_told(directory / "here.kith")); });
    const ChildSaid there = in_child_process([&] {
        live_in_germany();
        return joined(made_and_told(directory / "there.kith"));
    });
    CHECK(here.complaint == there.complaint);
    CHECK(here.says("right"));
    const ChildSaid visited = in_child_process([&] {
        live_in_germany();
        return judged(Collection<Essays>(directory / "here.kith"));
    });
    CHECK(visited.complaint == "right");
}

namespace {

std::atomic<std::int64_t> clock_offset = 0;  // seconds

}  // namespace

// The clock of the calendar, which may be set while a program runs; what waits goes by the steady one.
extern "C" time_t time(time_t* out) noexcept {
    ::timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto shown = static_cast<time_t>(now.tv_sec + clock_offset.load());
    if (out != nullptr) *out = shown;
    return shown;
}

TEST_CASE("A clock that jumps, backwards too, changes nothing") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    kith::Options options;
    options.durability = kith::Durability::interval(std::chrono::milliseconds(1));
    int count = 0;
    for (const std::int64_t offset : {0LL, -1'700'000'000LL, 100'000'000'000LL, -1'000'000'000'000LL, 86'400LL}) {
        clock_offset = offset;
        Collection<Essays> collection(directory / "essays.kith", options);
        collection.insert(essays(count, 20));
        clock_offset = -offset;
        collection.insert(essays(count + 20, 20));
        collection.checkpoint();
        count += 40;
        CHECK(collection.size() == static_cast<std::size_t>(count));
        collection.close();
    }
    clock_offset = 0;
    const Collection<Essays> collection(directory / "essays.kith");
    for (int number = 0; number < count; ++number) CHECK(collection.get(essay_id(number)) == essay(number));
}

TEST_CASE("Every instruction set answers alike from the files that the plainest one made") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const fs::path path = directory / "essays.kith";
    const auto with = [&](kith::Isa isa, auto&& act) {
        return in_child_process([&] {
            ::setenv("KITH_ISA", std::string(kith::name(isa)).c_str(), 1);
            return act();
        });
    };
    const auto answers = [&] {
        const Collection<Essays> collection(path);
        std::string text = judged(collection) + ':';
        for (int number = 2000; number < 2020; ++number) {
            const Essay asked = essay(number);
            for (const auto& hit : collection.nearest<&Essay::meaning>(asked.meaning).limit(7).exact().run()) {
                text += ' ' + hit.record.id;
            }
            for (const auto& hit : collection.nearest<&Essay::place>(asked.place).limit(7).exact().run()) {
                text += ' ' + hit.record.id;
            }
        }
        return text;
    };
    REQUIRE(with(kith::Isa::scalar, [&] {
                make_essays(path);
                return std::string();
            }).complaint == "");
    const ChildSaid plain = with(kith::Isa::scalar, answers);
    CHECK(plain.begins("right:"));
    for (const kith::Isa isa : kith_test::available_isas()) {
        INFO(kith::name(isa));
        CHECK(with(isa, answers).complaint == plain.complaint);
    }
}
