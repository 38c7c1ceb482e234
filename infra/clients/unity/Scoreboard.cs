// A client of the scoreboard for Unity 2021.3 or newer, on every platform: log in, score, and the board, asked for again and again.
// Copy it into Assets, and change what you like. Everything runs on the main thread.
using System;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;
using UnityEngine;
using UnityEngine.Networking;

/// <summary>One account on one scoreboard.</summary>
public sealed class Scoreboard
{
    const float GiveUpAfterSeconds = 60;
    const int TimeLimitSeconds = 10;

    readonly string baseUrl;
    readonly System.Random random = new System.Random();
    string accessToken = "";
    string refreshToken = "";
    string etag = "";
    Task renewal;

    public Scoreboard(string baseUrl)
    {
        this.baseUrl = baseUrl.TrimEnd('/');
        if (!Uri.TryCreate(this.baseUrl, UriKind.Absolute, out var url) || !url.Scheme.StartsWith("http"))
            throw new ArgumentException($"\"{baseUrl}\" is no URL that begins with http:// or https://");
    }

    public string UserId { get; private set; } = "";

    /// <summary>Create a player.</summary>
    public async Task Register(string username, string password)
    {
        await Patiently("POST", "/api/users", JsonUtility.ToJson(new Credentials { username = username, password = password }), false);
    }

    public async Task LogIn(string username, string password)
    {
        var credentials = JsonUtility.ToJson(new Credentials { username = username, password = password });
        Keep(await Patiently("POST", "/api/tokens", credentials, false));
    }

    /// <summary>
    /// Raise the score by 1 to 5. It is sent again, under the same key, until it is answered: it counts once. Where the server was
    /// started with REQUIRE_ACTION_TICKET each update needs a ticket, too: see POST /api/score/{user_id}/tickets.
    /// </summary>
    public async Task<Receipt> AddPoints(int increment)
    {
        var path = "/api/score/" + Uri.EscapeDataString(UserId);
        var answer = await Patiently("POST", path, JsonUtility.ToJson(new Update { increment = increment }), true);
        return JsonUtility.FromJson<Envelope<Receipt>>(answer).data;
    }

    /// <summary>The best players, or null when nothing has changed since the last answer. Without a log-in where the board is public.</summary>
    public async Task<Line[]> Top(int limit = 10)
    {
        var answer = await Patiently("GET", "/api/scores?limit=" + limit, null, UserId != "");
        return answer == null ? null : JsonUtility.FromJson<Lines>(answer).data;
    }

    /// <summary>Ask for the board every so many seconds while `isWanted`, and show it when it has changed; a failure is told, and passes.</summary>
    public async Task Follow(Action<Line[]> show, Action<ScoreboardException> tell, Func<bool> isWanted, float everySeconds = 2)
    {
        while (isWanted())
        {
            try
            {
                var lines = await Top();
                if (lines != null && isWanted()) show(lines);
            }
            catch (ScoreboardException error)
            {
                tell(error);
                if (!error.IsTemporary) return;
            }
            await Task.Delay(TimeSpan.FromSeconds(everySeconds));
        }
    }

    /// <summary>The same request until it is answered, waiting as the server says, or ever longer, and never all clients at once.</summary>
    async Task<string> Patiently(string method, string path, string body, bool needsToken)
    {
        var key = NewKey();
        var giveUpAt = DateTime.UtcNow.AddSeconds(GiveUpAfterSeconds);
        for (var attempt = 0; ; attempt++)
        {
            float wait;
            try
            {
                return await Call(method, path, body, key, needsToken);
            }
            catch (ScoreboardException error)
            {
                wait = error.RetryAfterSeconds + (float)random.NextDouble() * Math.Min(5, 0.4f * (float)Math.Pow(2, attempt));
                if (!error.IsTemporary || DateTime.UtcNow.AddSeconds(wait) > giveUpAt) throw;
            }
            await Task.Delay(TimeSpan.FromSeconds(wait));
        }
    }

    /// <summary>Once, and once more when the token was refused.</summary>
    async Task<string> Call(string method, string path, string body, string key, bool needsToken)
    {
        if (!needsToken) return await Send(method, path, body, key, "");
        if (accessToken == "") await Renew();
        var token = accessToken;
        try
        {
            return await Send(method, path, body, key, token);
        }
        catch (ScoreboardException error) when (error.Status == 401)
        {
            if (token == accessToken) await Renew();
        }
        return await Send(method, path, body, key, accessToken);
    }

    /// <summary>One renewal at a time: a refresh token is good for one use, and for further tries under its key.</summary>
    async Task Renew()
    {
        var begun = renewal = renewal ?? RenewOnce();
        try
        {
            await begun;
        }
        finally
        {
            if (renewal == begun) renewal = null;
        }
    }

    async Task RenewOnce()
    {
        if (refreshToken == "") throw new ScoreboardException(401, "session_ended", "Nobody is logged in.", 0);
        using (var sha = SHA256.Create())
        {
            var key = BitConverter.ToString(sha.ComputeHash(Encoding.UTF8.GetBytes(refreshToken)));
            Keep(await Send("POST", "/api/tokens", JsonUtility.ToJson(new Refresh { refreshToken = refreshToken }), key, ""));
        }
    }

    void Keep(string answer)
    {
        var tokens = JsonUtility.FromJson<Envelope<Tokens>>(answer).data;
        accessToken = tokens.accessToken;
        refreshToken = tokens.refreshToken;
        UserId = tokens.userId;
    }

    /// <summary>The JSON of a successful answer, null for 304.</summary>
    async Task<string> Send(string method, string path, string body, string key, string token)
    {
        using (var request = new UnityWebRequest(baseUrl + path, method))
        {
            request.downloadHandler = new DownloadHandlerBuffer();
            request.timeout = TimeLimitSeconds;
            request.redirectLimit = 0;
            if (body != null) request.uploadHandler = new UploadHandlerRaw(Encoding.UTF8.GetBytes(body)) { contentType = "application/json" };
            if (method != "GET") request.SetRequestHeader("Idempotency-Key", key);
            if (method == "GET" && etag != "") request.SetRequestHeader("If-None-Match", etag);
            if (token != "") request.SetRequestHeader("Authorization", "Bearer " + token);
            var done = new TaskCompletionSource<bool>();
            request.SendWebRequest().completed += _ => done.TrySetResult(true);
            await done.Task;
            return Read(request, method);
        }
    }

    string Read(UnityWebRequest request, string method)
    {
        var status = request.responseCode;
        // WebGL: a browser does not say that it keeps an answer from a page, whose origin CORS_ALLOWED_ORIGINS may lack.
        if (status == 0) throw new ScoreboardException(0, "no_answer", $"{baseUrl} does not answer: {request.error}", 0);
        if (status == 304) return null;
        var text = request.downloadHandler.text;
        var isSuccess = status >= 200 && status < 300;
        var problem = new Problem();
        try
        {
            if (status != 204) JsonUtility.FromJsonOverwrite(text, problem);
        }
        catch (ArgumentException)
        {
            text = "";
        }
        if (isSuccess && (status == 204 || text.Contains("\"data\"")))
        {
            if (method == "GET") etag = request.GetResponseHeader("ETag") ?? "";
            return text;
        }
        float.TryParse(request.GetResponseHeader("Retry-After"), out var wait);
        if (!isSuccess && problem.code != "") throw new ScoreboardException(status, problem.code, problem.detail, wait);
        var detail = $"{baseUrl} answered {status}, but not as a scoreboard does: is that its address?";
        var isOutage = status == 429 || (status >= 500 && status != 501);
        throw new ScoreboardException(status, isOutage ? "unknown" : "not_the_api", detail, wait);
    }

    static string NewKey()
    {
        var bytes = new byte[16];
        using (var source = RandomNumberGenerator.Create()) source.GetBytes(bytes);
        return BitConverter.ToString(bytes);
    }

    [Serializable]
    public sealed class Line
    {
        public string userId = "";
        public string username = "";
        public string displayName = "";
        public int rank;
        public long score;
    }

    [Serializable]
    public sealed class Receipt
    {
        public string userId = "";
        public long score;
        public int rank;
        public int increment;
        public string requestId = "";
    }

    [Serializable] sealed class Lines { public Line[] data = { }; }
    [Serializable] sealed class Envelope<T> { public T data = default; }
    [Serializable] sealed class Tokens { public string accessToken = ""; public string refreshToken = ""; public string userId = ""; }
    [Serializable] sealed class Problem { public string code = ""; public string detail = ""; }
    [Serializable] sealed class Credentials { public string username = ""; public string password = ""; }
    [Serializable] sealed class Refresh { public string refreshToken = ""; }
    [Serializable] sealed class Update { public int increment; }
}

/// <summary>A request that was not answered with success; Status is 0 when no answer came at all.</summary>
public sealed class ScoreboardException : Exception
{
    public ScoreboardException(long status, string code, string detail, float retryAfterSeconds) : base(detail)
    {
        Status = status;
        Code = code;
        RetryAfterSeconds = retryAfterSeconds;
    }

    public long Status { get; }

    /// <summary>Stable, from the problem document.</summary>
    public string Code { get; }

    public float RetryAfterSeconds { get; }

    /// <summary>Whether the same request, under the same key, may succeed later.</summary>
    public bool IsTemporary =>
        Code != "not_the_api" && (Status == 0 || Status == 429 || Status >= 500 || Code == "request_in_progress");
}
