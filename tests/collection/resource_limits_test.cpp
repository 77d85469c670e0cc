// tests/collection/resource_limits_test.cpp — few descriptors, short files, little address space, and callables that
// throw: a clear error or a smaller share, never the end of the process.
#include "essay.hpp"

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith::OpenMode;
using kith_test::ChildSaid;
using kith_test::copy_collection;
using kith_test::essay;
using kith_test::Essay;
using kith_test::essay_id;
using kith_test::essays;
using kith_test::Essays;
using kith_test::FileFaults;
using kith_test::in_child_process;
using kith_test::make_essays;
using kith_test::opened_and_judged;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

void limit(int resource, ::rlim_t value) {
    ::rlimit both{};
    ::getrlimit(resource, &both);
    both.rlim_cur = value;
    if (::setrlimit(resource, &both) != 0) throw std::runtime_error("the limit cannot be set");
}

/// Opens a copy of `original` under a limit, judges it and writes to it; "right", or the error.
ChildSaid used_under(int resource, ::rlim_t value, const fs::path& original, const fs::path& copy) {
    copy_collection(original, copy);
    return in_child_process([&]() -> std::string {
        limit(resource, value);
        const std::string judged = opened_and_judged(copy, OpenMode::open);
        if (judged != "right") return judged;
        const Raised error = raised([&] {
            Collection<Essays> collection(copy);
            collection.upsert(essays(6, 10));
            collection.checkpoint();
        });
        return error.code.has_value() ? "refused: " + std::string(kith::name(*error.code)) + ": " + error.text
                                      : "right";
    });
}

class Kept {
public:
    Kept() { make_essays(original()); }

    [[nodiscard]] fs::path original() const { return directory_ / "original.kith"; }
    [[nodiscard]] fs::path copy() const { return directory_ / "copy.kith"; }

private:
    FileFaults quick_ = FileFaults::no_syncs();
    TemporaryDirectory directory_;
};

/// Bytes of address space that the process has taken; 0 where that is unknown, or a sanitizer has taken terabytes.
std::size_t address_space() {
    std::size_t pages = 0;
    if (!(std::ifstream("/proc/self/statm") >> pages) || pages > std::size_t{1} << 28) return 0;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("With few file descriptors a collection works or says that there are too few, and 32 are enough") {
    const Kept kept;
    int refused = 0;
    for (::rlim_t files = 3; files <= 32; ++files) {
        const ChildSaid said = used_under(RLIMIT_NOFILE, files, kept.original(), kept.copy());
        CAPTURE(files, said.complaint);
        CHECK(said.signal == 0);
        if (said.begins("refused: ")) {
            CHECK(said.says("oo many open files"));
            CHECK(said.says("copy.kith"));
            ++refused;
        } else if (!said.begins("threw")) {  // without any descriptor a child cannot even be told of
            CHECK(said.complaint == "right");
        }
        if (files >= 32) CHECK(said.complaint == "right");
        CHECK(in_child_process([&] { return opened_and_judged(kept.copy(), OpenMode::open); }).complaint == "right");
    }
    CHECK(refused > 0);
}

TEST_CASE("However many segments there are, a writer needs no descriptor for each, mapped or read through a cache") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    kith::Options options;
    options.maintenance = kith::Maintenance::on_call;
    {
        Collection<Essays> collection(directory / "many.kith", options);
        for (int round = 0; round < 30; ++round) {
            collection.insert(essays(round * 3, 3));
            collection.checkpoint();
        }
        REQUIRE(collection.stats().segments.size() == 30);
    }
    for (const std::uint64_t cache_bytes : {std::uint64_t{0}, std::uint64_t{1} << 17}) {
        options.cache_bytes = cache_bytes;
        const ChildSaid said = in_child_process([&]() -> std::string {
            limit(RLIMIT_NOFILE, 32);
            Collection<Essays> collection(directory / "many.kith", options);
            for (int number = 0; number < 90; ++number) {
                if (collection.get(essay_id(number)) != essay(number)) return "wrong at " + std::to_string(number);
            }
            collection.upsert(essays(90, 5));
            collection.checkpoint();
            return collection.size() == 95 ? "right" : "wrong in number";
        });
        CAPTURE(said.complaint);
        CHECK(said.complaint == "right");
    }
}

TEST_CASE("Under any limit of file sizes every call works or says that the disk is full, without a signal") {
    const TemporaryDirectory directory;
    for (const ::rlim_t bytes : {0U, 1U, 20U, 100U, 4096U, 40'000U, 69'632U, 100'000U, 400'000U, 10'000'000U}) {
        const auto path = directory / "articles.kith";
        fs::remove_all(path);
        const ChildSaid said = in_child_process([&]() -> std::string {
            limit(RLIMIT_FSIZE, bytes);
            const Raised error = raised([&] {
                Collection<Essays> collection(path);
                const auto again = [&](const std::function<void()>& act) {
                    const Raised refused = raised(act);
                    if (refused.code.has_value() && refused.code != Errc::disk_full) {
                        throw std::runtime_error(std::string(kith::name(*refused.code)) + ": " + refused.text);
                    }
                };
                for (int batch = 0; batch < 5; ++batch) {
                    again([&] { collection.insert(essays(batch * 20, 20)); });
                    again([&] { collection.checkpoint(); });
                }
            });
            if (error.code.has_value() && error.code != Errc::disk_full) return error.text;
            return "";
        });
        CAPTURE(bytes);
        CHECK(said.complaint == "");
        Collection<Essays> collection(path);
        CHECK(collection.size() % 20 == 0);
        for (const Essay& record : collection.records()) CHECK(record == essay(static_cast<int>(record.number)));
        collection.upsert(essays(0, 100));
        CHECK(collection.size() == 100);
    }
}

TEST_CASE("With little address space a collection takes a smaller map, or says that memory is short") {
    if (address_space() == 0) return;
    const Kept kept;
    int refused = 0;
    int right = 0;
    for (std::size_t more = std::size_t{1} << 20; more <= std::size_t{1} << 37; more *= 2) {
        const ChildSaid said =
            used_under(RLIMIT_AS, static_cast<::rlim_t>(address_space() + more), kept.original(), kept.copy());
        CAPTURE(more, said.complaint);
        CHECK(said.signal == 0);
        if (said.complaint == "right") {
            ++right;
        } else {
            CHECK((said.begins("refused: out_of_memory") || said.says("bad_alloc")));
            ++refused;
        }
    }
    CHECK(refused > 0);
    CHECK(right > 0);
    CHECK(in_child_process([&] { return opened_and_judged(kept.copy(), OpenMode::open); }).complaint == "right");
}

TEST_CASE("What a change given to update throws comes out as it is, and nothing was written") {
    const TemporaryDirectory directory;
    Collection<Essays> collection(directory / "essays.kith");
    collection.insert(essays(0, 5));
    const auto throws = [&](auto thrown) {
        const auto change = [&](Essay& record) {
            record.text = "half done";
            throw thrown;
        };
        CHECK_THROWS_AS(collection.update(essay_id(2), change), decltype(thrown));
    };
    throws(std::runtime_error("no"));
    throws(std::bad_alloc());
    throws(kith::Error(Errc::cancelled, "mine"));
    throws(42);
    CHECK(collection.get(essay_id(2)) == essay(2));
    CHECK(collection.size() == 5);
    collection.update(essay_id(2), [](Essay& record) { record.text = "done"; });
    CHECK(collection.get(essay_id(2))->text == "done");
    collection.close();
    const Collection<Essays> again(directory / "essays.kith");
    CHECK(again.size() == 5);
    CHECK(again.get(essay_id(2))->text == "done");
    CHECK(again.recovery().replayed_batches == 2);
}
