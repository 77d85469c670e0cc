// tests/collection/recall_test.cpp — asking a collection for a recall, and asking it what it would do.
#include "kith/collection.hpp"

#include "kith/core/random.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace {

constexpr std::size_t dim = 40;

struct Point {
    std::uint64_t id = 0;
    std::array<float, dim> at{};
};

using Points = kith::Schema<Point, kith::Key<&Point::id>, kith::VectorField<&Point::at, kith::L2>>;

/// Points around a hundred centres; each call goes on in the same clusters.
class Clusters {
public:
    std::vector<Point> make(std::size_t count) {
        std::vector<Point> made(count);
        for (Point& point : made) {
            point.id = next_++;
            kith::SplitMix64 centre(random_.below(100));
            for (float& value : point.at) {
                value = static_cast<float>(8 * centre.uniform() + random_.uniform() + random_.uniform());
            }
        }
        return made;
    }

private:
    kith::SplitMix64 random_{7};
    std::uint64_t next_ = 0;
};

std::set<std::uint64_t> keys(const std::vector<kith::Hit<Point>>& hits) {
    std::set<std::uint64_t> keys;
    for (const auto& hit : hits) keys.insert(hit.record.id);
    return keys;
}

/// Share of true neighbours found for `queries` when `recall` is asked for.
double reached(const kith::Collection<Points>& points, const std::vector<Point>& queries, double recall) {
    std::size_t hits = 0;
    for (const Point& query : queries) {
        const auto truth = keys(points.nearest<&Point::at>(query.at).exact().run());
        for (const std::uint64_t key : keys(points.nearest<&Point::at>(query.at).recall(recall).run())) {
            hits += truth.count(key);
        }
    }
    return static_cast<double>(hits) / static_cast<double>(10 * queries.size());
}

bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "A collection reaches the recall it is asked for, before and after a checkpoint and when it is opened again") {
    const kith_test::TemporaryDirectory directory;
    Clusters clusters;
    const std::vector<Point> batch = clusters.make(9000);
    const std::vector<Point> queries = clusters.make(300);
    {
        kith::Collection<Points> points(directory.path() / "points");
        points.insert(batch);
        CHECK(reached(points, queries, 0.95) >= 0.94);
        points.checkpoint();
        CHECK(reached(points, queries, 0.95) >= 0.94);
        CHECK(reached(points, queries, 1) == 1.0);
    }
    const kith::Collection<Points> points(directory.path() / "points");
    CHECK(reached(points, queries, 0.9) >= 0.89);
    const kith::Explanation explanation = points.nearest<&Point::at>(queries[0].at).recall(0.9).explain();
    REQUIRE(explanation.segments.size() == 1);
    CHECK(explanation.segments[0].sealed);
    CHECK(explanation.segments[0].plan.calibrated == 9000);
    CHECK(explanation.segments[0].plan.way == kith::SearchWay::indexed);
}

TEST_CASE("A query says what it would do and why") {
    Clusters clusters;
    kith::Collection<Points> points(kith::in_memory);
    const std::vector<Point> queries = clusters.make(1);
    const auto ask = [&] { return points.nearest<&Point::at>(queries[0].at); };
    points.insert(clusters.make(200));
    CHECK(says(ask().explain().text(), "compares all 200 records: so few cost less than a walk"));
    points.insert(clusters.make(8800));
    points.checkpoint();  // in memory: links everything
    const std::string text = ask().explain().text();
    CAPTURE(text);
    CHECK(says(text, "nearest by 'at', recall 0.95"));
    CHECK(says(text, "(writing, hnsw/sq4): walks on up to "));
    CHECK(says(text, "as measured over 9000 records; 9000 are in the index"));
    CHECK(says(ask().ef_search(77).explain().text(), "walks with 77 candidates"));
    CHECK(says(ask().exact().explain().text(), "'at', exact"));
    CHECK(says(ask().exact().explain().text(), "compares all 9000 records"));
    CHECK(says(ask().where(kith::field<&Point::id> > std::uint64_t{5}).explain().text(), "with a condition"));
}

TEST_CASE("Short vectors get a graph over floats, longer ones one over codes") {
    CHECK(kith::AutoIndex<3>::name == "hnsw");
    CHECK(kith::AutoIndex<768>::name == "hnsw/sq4");
}
