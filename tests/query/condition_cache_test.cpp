// tests/query/condition_cache_test.cpp — the cache gives back what reading would, and keeps what was used lately.
#include "support/catch.hpp"

#include "kith/query/condition_cache.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using kith::Expression;
using kith::Op;
using kith::detail::ConditionCache;

/// Counts what is read; the tree of a text is about the field of its length.
struct Reader {
    std::size_t reads = 0;

    Expression get(ConditionCache& cache, const std::string& text) {
        return cache.get(text, [&] {
            ++reads;
            return Expression{.op = Op::is_null, .field = text.size()};
        });
    }
};

TEST_CASE("A text is read once while it is kept") {
    ConditionCache cache(2);
    Reader reader;
    CHECK(reader.get(cache, "a") == Expression{.op = Op::is_null, .field = 1});
    CHECK(reader.get(cache, "a") == Expression{.op = Op::is_null, .field = 1});
    CHECK(reader.reads == 1);
}

TEST_CASE("What was used least lately makes room") {
    ConditionCache cache(2);
    Reader reader;
    static_cast<void>(reader.get(cache, "a"));
    static_cast<void>(reader.get(cache, "bb"));
    static_cast<void>(reader.get(cache, "a"));
    static_cast<void>(reader.get(cache, "ccc"));  // bb goes
    CHECK(cache.size() == 2);
    static_cast<void>(reader.get(cache, "a"));
    CHECK(reader.reads == 3);
    static_cast<void>(reader.get(cache, "bb"));
    CHECK(reader.reads == 4);
}

TEST_CASE("A text that is refused, or too long, is not kept") {
    ConditionCache cache;
    const auto refuse = []() -> Expression { throw std::runtime_error("no"); };
    CHECK_THROWS_AS(cache.get("x", refuse), std::runtime_error);
    Reader reader;
    static_cast<void>(reader.get(cache, std::string(2000, 'x')));
    CHECK(cache.size() == 0);
}

TEST_CASE("Many threads share a cache") {
    ConditionCache cache(4);
    std::vector<std::thread> threads;
    std::vector<std::size_t> wrong(4);
    for (std::size_t thread = 0; thread < wrong.size(); ++thread) {
        threads.emplace_back([&cache, &wrong, thread] {
            Reader reader;
            for (std::size_t round = 0; round < 2000; ++round) {
                const std::string text(1 + (round * (thread + 1)) % 7, 'x');
                wrong[thread] += reader.get(cache, text).field == text.size() ? 0u : 1u;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == std::vector<std::size_t>(4));
}

}  // namespace
