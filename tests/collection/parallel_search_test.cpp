// tests/collection/parallel_search_test.cpp — one question to several segments, by one thread and by many.
#include "article.hpp"

#include "kith/quantize/scalar.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <span>
#include <thread>
#include <vector>

using kith::Collection;
using kith::Options;

namespace {

struct Point {
    std::int32_t id = 0;
    std::array<float, 256> vector{};  // so long that threads pay

    friend bool operator==(const Point&, const Point&) = default;
};

template <class Index>
using Points = kith::Schema<Point, kith::Key<&Point::id>, kith::VectorField<&Point::vector, kith::L2, Index>>;

using Graphed = Points<kith::Hnsw<kith::HnswParams{8, 40}>>;
using Scanned = Points<kith::Flat>;

Point point(int number) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(number) % 3000);  // one in a few is there twice
    Point made;
    made.id = number;
    for (float& element : made.vector) element = static_cast<float>(random.uniform());
    return made;
}

Options options(unsigned threads) {
    Options options;
    options.segment_capacity = 1000;
    options.search_threads = threads;
    return options;
}

/// Seven segments, some records of which are gone.
template <class S>
void fill(Collection<S>& collection) {
    std::vector<Point> points;
    for (int number = 0; number < 6500; ++number) points.push_back(point(number));
    collection.insert(points);
    std::vector<std::int32_t> gone;
    for (int number = 0; number < 6500; number += 7) gone.push_back(number);
    collection.erase(gone);
    collection.link();
}

template <class S>
std::vector<kith::Hit<Point>> ask(const Collection<S>& collection, int number, std::size_t limit, bool exact) {
    auto query = collection.template nearest<&Point::vector>(point(number).vector);
    query.limit(limit);
    if (exact) query.exact();
    return query.run();
}

bool same(const std::vector<kith::Hit<Point>>& a, const std::vector<kith::Hit<Point>>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
        return left.record == right.record && left.distance == right.distance && left.score == right.score;
    });
}

}  // namespace

TEMPLATE_TEST_CASE("Many threads answer a query as one does, to the last bit", "[threads]", Graphed, Scanned) {
    Collection<TestType> alone(kith::in_memory, options(1)), shared(kith::in_memory, options(8));
    fill(alone);
    fill(shared);
    std::size_t wrong = 0;
    for (int number = 20000; number < 20020; ++number) {
        for (const std::size_t limit : {std::size_t{1}, std::size_t{10}, std::size_t{9000}}) {
            // The recall of graphs is measured behind the writer, at a time of its own.
            const auto expected = ask(alone, number, limit, true), found = ask(shared, number, limit, true);
            wrong += !same(found, expected) || found.size() != std::min<std::size_t>(limit, alone.size());
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("Segments are searched by threads of the process while others ask too", "[threads]") {
    Collection<Graphed> collection(kith::in_memory, options(8));
    fill(collection);
    std::vector<std::vector<kith::Hit<Point>>> expected;
    for (int number = 0; number < 20; ++number) expected.push_back(ask(collection, number, 10, true));
    std::atomic<std::size_t> wrong = 0;
    std::vector<std::thread> askers;
    for (int asker = 0; asker < 4; ++asker) {
        askers.emplace_back([&] {
            for (int round = 0; round < 5; ++round) {
                for (int number = 0; number < 20; ++number) {
                    wrong += !same(ask(collection, number, 10, true), expected[static_cast<std::size_t>(number)]);
                    wrong += ask(collection, number, 10, false).size() != 10;
                }
            }
        });
    }
    for (std::thread& asker : askers) asker.join();
    CHECK(wrong == 0);
}

TEST_CASE("A collection that a forked child opens is searched by threads of the child") {
    Collection<Scanned> collection(kith::in_memory, options(8));
    fill(collection);
    const auto expected = ask(collection, 1, 10, true);
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        Collection<Scanned> own(kith::in_memory, options(8));
        fill(own);
        ::_exit(same(ask(own, 1, 10, true), expected) ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("A number of threads that cannot be is refused") {
    for (const unsigned threads : {0U, 2000U}) {
        const auto raised =
            kith_test::raised([&] { Collection<Scanned> collection(kith::in_memory, options(threads)); });
        CHECK(raised.code == kith::Errc::invalid_argument);
        CHECK(raised.says("search_threads is " + std::to_string(threads)));
    }
}
