// tests/distance/cpu_test.cpp — the processor is asked, and the environment may overrule the answer.
#include "kith/distance/cpu.hpp"

#include "kith/core/error.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <optional>
#include <string>

namespace {

/// KITH_ISA with another value, or without one, for as long as this lives.
class Environment {
public:
    explicit Environment(const char* value) {
        if (const char* before = std::getenv("KITH_ISA")) before_ = before;
        set(value);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { set(before_ ? before_->c_str() : nullptr); }

private:
    static void set(const char* value) {
        if (value != nullptr) {
            ::setenv("KITH_ISA", value, 1);
        } else {
            ::unsetenv("KITH_ISA");
        }
    }

    std::optional<std::string> before_;
};

std::string what_best_isa_says() {
    try {
        static_cast<void>(kith::best_isa());
    } catch (const kith::Error& error) {
        CHECK(error.code() == kith::Errc::invalid_argument);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("every processor has the scalar set") {
    CHECK(kith::supports(kith::Isa::scalar));
}

TEST_CASE("AVX-512 without AVX2, or NEON beside either, is no processor") {
    if (kith::supports(kith::Isa::avx512)) CHECK(kith::supports(kith::Isa::avx2));
    if (kith::supports(kith::Isa::avx2)) CHECK_FALSE(kith::supports(kith::Isa::neon));
#ifdef __aarch64__
    CHECK(kith::supports(kith::Isa::neon));
#endif
}

#ifdef __x86_64__
TEST_CASE("the probe agrees with the compiler's own where that knows the feature") {
    CHECK(kith::supports(kith::Isa::avx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
    CHECK(kith::supports(kith::Isa::avx512) ==
          (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl")));
}
#endif

TEST_CASE("without a wish the best set is chosen") {
    for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
        const Environment environment(nothing);
        const kith::Isa best = kith::best_isa();
        CHECK(kith::supports(best));
        for (const kith::Isa isa : kith::all_isas) {
            if (kith::supports(isa)) CHECK(isa <= best);
        }
    }
}

TEST_CASE("KITH_ISA chooses any set the processor has and refuses those it lacks") {
    for (const kith::Isa isa : kith::all_isas) {
        const std::string name(kith::name(isa));
        INFO(name);
        const Environment environment(name.c_str());
        if (kith::supports(isa)) {
            CHECK(kith::best_isa() == isa);
        } else {
            const std::string text = what_best_isa_says();
            CHECK(text.find('"' + name + '"') != std::string::npos);
            CHECK(text.find("scalar") != std::string::npos);
        }
    }
}

TEST_CASE("an unknown KITH_ISA is refused with what there is") {
    for (const char* wish : {"avx1024", "AVX2", " ", "scalar "}) {
        const Environment environment(wish);
        const std::string text = what_best_isa_says();
        INFO(text);
        CHECK(text.find('"' + std::string(wish) + '"') != std::string::npos);
        for (const kith::Isa isa : kith::all_isas) {
            CHECK((text.substr(text.find(':')).find(kith::name(isa)) != std::string::npos) == kith::supports(isa));
        }
    }
}
