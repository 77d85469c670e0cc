// tests/collection/reader_processes_test.cpp — one process writes, seals and merges, others read, any of them is killed.
//
// Operation number n writes version n of the ten records of group n % 12, and n into a record that marks it, in one
// batch; every fifth erases a group instead. So what a reader shows must be what the operations up to some number
// leave, and that number is none before the last that was acknowledged when it refreshed.
#include "article.hpp"
#include "settings.hpp"

#include "kith/storage/environment.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/other_process.hpp"
#include "support/raised.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith::Options;
using kith_test::Article;
using kith_test::article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::await;
using kith_test::FileFaults;
using kith_test::OtherProcess;
using kith_test::raised;
using kith_test::TemporaryDirectory;
using kith_test::to_read;

namespace {

namespace fs = std::filesystem;

constexpr int group_count = 12;
constexpr int group_size = 10;
using Records = std::map<std::string, Article>;

bool is_erasure(int operation) {
    return operation % 5 == 4;
}

int group_of(int operation) {
    return operation % group_count;
}

Article marker(int operation) {
    Article made;
    made.id = "marker";
    made.year = operation;
    return made;
}

Records expected_after(int last) {
    Records expected;
    int newest = 0;  // of those that write
    for (int operation = std::max(1, last - 5 * group_count); operation <= last; ++operation) {
        for (const Article& one : articles(group_of(operation) * group_size, group_size, operation)) {
            if (is_erasure(operation)) {
                expected.erase(one.id);
            } else {
                expected[one.id] = one;
            }
        }
        if (!is_erasure(operation)) newest = operation;
    }
    if (newest > 0) expected["marker"] = marker(newest);
    return expected;
}

void perform(Collection<Articles>& writer, int operation) {
    std::vector<Article> batch = articles(group_of(operation) * group_size, group_size, operation);
    if (is_erasure(operation)) {
        std::vector<std::string> keys;
        for (const Article& one : batch) keys.push_back(one.id);
        writer.erase(keys);
        return;
    }
    batch.push_back(marker(operation));
    writer.upsert(batch);
}

/// The last operation that `shown` shows whole; none when it shows anything else.
template <class Shown>
std::optional<int> last_shown(const Shown& shown, int at_least) {
    Records found;
    for (const Article& one : shown.records()) found.emplace(one.id, one);
    const auto marked = found.find("marker");
    const int last = marked == found.end() ? 0 : marked->second.year;
    // An erasure leaves no mark.
    for (const int candidate : {last, last + 1}) {
        if (candidate < at_least || (candidate > last && !is_erasure(candidate))) continue;
        if (found == expected_after(candidate) && shown.size() == found.size()) return candidate;
    }
    return std::nullopt;
}

/// What the processes of a test tell each other.
struct Shared {
    std::atomic<int> acknowledged = 0;
    std::atomic<int> checks[2] = {0, 0};
};

class SharedMemory {
public:
    SharedMemory()
        : memory_(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        REQUIRE(memory_ != MAP_FAILED);
        shared_ = new (memory_) Shared;
    }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    ~SharedMemory() { ::munmap(memory_, sizeof(Shared)); }

    Shared* operator->() const noexcept { return shared_; }
    Shared& operator*() const noexcept { return *shared_; }

private:
    void* memory_;
    Shared* shared_;
};

Options to_write() {
    Options options;
    options.segment_capacity = 120;
    options.log_bytes = std::uint64_t{1} << 14;  // checkpoints and merges come all the time
    return options;
}

/// Goes on after the last operation that the collection holds, until it is told to stop or is killed.
int write_until_stopped(const fs::path& path, Shared& shared, OtherProcess::Line& line) {
    const FileFaults quick = FileFaults::no_syncs();
    Collection<Articles> writer(path, to_write());
    const std::optional<int> last = last_shown(writer, shared.acknowledged);
    if (!last.has_value()) return 1;
    line.report(*last);
    for (int operation = *last + 1; !line.asked_to_stop(); ++operation) {
        perform(writer, operation);
        shared.acknowledged = operation;
        if (operation % 40 == 0) writer.compact();
    }
    return 0;
}

/// Refreshes and looks, over and over, and now and then looks again at a snapshot of some time ago.
int read_until_stopped(const fs::path& path, Shared& shared, int number, OtherProcess::Line& line) {
    Collection<Articles> reader(path, to_read());
    std::optional<kith::Snapshot<Articles>> held;
    std::optional<int> held_at;
    for (int look = 0; !line.asked_to_stop(); ++look) {
        const int acknowledged = shared.acknowledged;
        reader.refresh();
        const std::optional<int> shown = last_shown(reader.snapshot(), acknowledged);
        if (!shown.has_value()) return 10;
        const auto hits = reader.nearest<&Article::embedding>(article(7, *shown).embedding).limit(5).run();
        for (const auto& hit : hits) {
            if (reader.get(hit.record.id) != hit.record) return 11;
        }
        if (look % 10 == 0) {
            held.emplace(reader.snapshot());
            held_at = shown;
        } else if (last_shown(*held, *held_at) != held_at) {
            return 12;
        }
        ++shared.checks[number];
    }
    return 0;
}

}  // namespace

TEST_CASE("Two processes follow a third that writes, seals and merges, and never show less than was acknowledged") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        const Collection<Articles> made(path);
    }
    const SharedMemory shared;
    OtherProcess writer([&](OtherProcess::Line& line) { return write_until_stopped(path, *shared, line); });
    writer.await_report();
    OtherProcess first([&](OtherProcess::Line& line) { return read_until_stopped(path, *shared, 0, line); });
    OtherProcess second([&](OtherProcess::Line& line) { return read_until_stopped(path, *shared, 1, line); });
    await([&] { return shared->acknowledged >= 400 && shared->checks[0] >= 50 && shared->checks[1] >= 50; });
    CHECK(writer.stop() == 0);
    CHECK(first.stop() == 0);
    CHECK(second.stop() == 0);
    Collection<Articles> after(path);
    CHECK(last_shown(after, shared->acknowledged).has_value());
    // Nobody holds anything any more.
    after.compact();
    CHECK(after.stats().retired_bytes == 0);
    CHECK(std::distance(fs::directory_iterator(path / "segments"), {}) ==
          static_cast<std::ptrdiff_t>(after.stats().segments.size()));
}

TEST_CASE("A writer is killed and another takes over, time and again, and readers go on through it") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        const Collection<Articles> made(path);
    }
    const SharedMemory shared;
    OtherProcess first([&](OtherProcess::Line& line) { return read_until_stopped(path, *shared, 0, line); });
    OtherProcess second([&](OtherProcess::Line& line) { return read_until_stopped(path, *shared, 1, line); });
    for (int round = 0; round < 12; ++round) {
        const int acknowledged =
            shared->acknowledged;  // of the writer before: the next one goes on when it has reported
        OtherProcess writer([&](OtherProcess::Line& line) { return write_until_stopped(path, *shared, line); });
        const int from = static_cast<int>(writer.await_report());
        CHECK(from >= acknowledged);
        const kith_test::Raised refused = raised([&] { const Collection<Articles> other(path); });
        CHECK(refused.code == Errc::locked);
        CHECK(refused.says("open for writing by process " + std::to_string(writer.number()) + " on "));
        await([&] { return shared->acknowledged >= from + 20 + 7 * round; });
        writer.kill();
        const int before[2] = {shared->checks[0], shared->checks[1]};
        await([&] { return shared->checks[0] > before[0] + 1 && shared->checks[1] > before[1] + 1; });
    }
    CHECK(first.stop() == 0);
    CHECK(second.stop() == 0);
    const Collection<Articles> after(path);
    CHECK(last_shown(after, shared->acknowledged).has_value());
}

TEST_CASE("A reader that is killed lets go of its segments, and the writer removes them") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Options options;
    options.maintenance = kith::Maintenance::on_call;
    {
        Collection<Articles> writer(path, options);
        writer.insert(articles(0, 60));
        writer.checkpoint();
        writer.insert(articles(60, 60));
        writer.checkpoint();
    }
    OtherProcess reader([&](OtherProcess::Line& line) {
        Collection<Articles> collection(path, to_read());
        const auto held = collection.snapshot();
        line.report();
        line.wait_for_stop();
        collection.refresh();
        if (held.size() != 120 || collection.size() != 100) return 1;
        for (int number = 0; number < 120; ++number) {
            if (held.get("article-" + std::to_string(number)) != article(number)) return 2;
        }
        return 0;
    });
    OtherProcess victim([&](OtherProcess::Line& line) {
        const Collection<Articles> collection(path, to_read());
        line.report();
        line.wait_for_stop();
        return 0;
    });
    reader.await_report();
    victim.await_report();
    Collection<Articles> writer(path, options);
    for (int number = 0; number < 20; ++number) writer.erase("article-" + std::to_string(number));
    writer.compact();
    CHECK(writer.stats().retired_bytes > 0);
    CHECK(reader.stop() == 0);
    writer.compact();
    CHECK(writer.stats().retired_bytes > 0);
    victim.kill();
    writer.compact();
    CHECK(writer.stats().retired_bytes == 0);
    CHECK(writer.size() == 100);
    CHECK(std::distance(fs::directory_iterator(path / "segments"), {}) == 1);
}

TEST_CASE(
    "A reader between two calls keeps no page of the rows' file, whatever it holds: a snapshot, half an iteration") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Options options;
    options.maintenance = kith::Maintenance::on_call;
    {
        Collection<Articles> writer(path, options);
        writer.insert(articles(0, 300));
        writer.checkpoint();
    }
    OtherProcess reader([&](OtherProcess::Line& line) {
        const Collection<Articles> collection(path, to_read());
        const auto held = collection.snapshot();
        const auto range = held.records();
        auto it = range.begin();
        int seen = 0;
        for (; seen < 100; ++seen) ++it;
        line.report();
        line.wait_for_stop();
        for (; it != range.end(); ++it) ++seen;
        return seen == 300 && held.get("article-7") == article(7) ? 0 : 1;
    });
    reader.await_report();
    const FileFaults quick = FileFaults::no_syncs();
    Collection<Articles> writer(path, options);
    const auto rewrite = [&](int rounds) {
        for (int round = 1; round <= rounds; ++round) {
            writer.upsert(articles(0, 300, round));
            writer.compact();
        }
        return writer.stats().forward_bytes;
    };
    const std::uint64_t early = rewrite(10);
    CHECK(rewrite(60) == early);
    const kith::detail::Environment environment(path / "forward", kith::detail::EnvironmentMode::read_only);
    CHECK(environment.stats().readers == 0);
    CHECK(reader.stop() == 0);
}
